"""kubectl-rsc in the test's own process, on a real API server; what the operator does is played where there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from redis_sentinel_operator.cli.kube import MERGE, Api, Where
from redis_sentinel_operator.cli.main import main

NAME = "redis-cluster"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """How the program ended."""

    code: int
    out: str
    err: str


@dataclass
class Rsc:
    """The program as one user in one namespace."""

    kubeconfig: Path
    namespace: str
    capsys: pytest.CaptureFixture[str] = field(repr=False)

    def __call__(self, *arguments: str) -> Said:
        """Run a command. Whatever happens it is no traceback."""
        where = (f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}")
        with pytest.raises(SystemExit) as ended:
            main([*where, *arguments])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(int(ended.value.code or 0), said.out, said.err)

    def ok(self, *arguments: str) -> str:
        """What it says where it must go well."""
        said = self(*arguments)
        assert said.code == 0, said
        return said.out

    @cached_property
    def api(self) -> Api:
        """Its way to the API server."""
        return Api(Where(kubeconfig=str(self.kubeconfig), namespace=self.namespace))

    def close(self) -> None:
        """Close what it opened itself."""
        self.api.close()

    def body(self, name: str = NAME) -> Document:
        """The cluster as stored."""
        return self.api.cluster(name)

    def spec(self) -> Document:
        """Its spec."""
        found: Document = self.body()["spec"]
        return found

    def tell(self, name: str = NAME, **status: Any) -> None:
        """Write into status, as the operator does."""
        path = f"{self.api.path(name)}/status"
        self.api.request("PATCH", path, {"status": status}, content_type=MERGE, fieldManager="played")

    @contextmanager
    def operator(self, plays: Callable[[Rsc], bool]) -> Iterator[None]:
        """Play the operator beside: `plays` is called until it returns True; it must have by the end."""
        over, failed = threading.Event(), list[BaseException]()

        def play() -> None:
            try:
                while not over.is_set() and not plays(self):
                    time.sleep(0.1)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if failed:
            raise failed[0]


def annotation(body: Mapping[str, Any], name: str) -> str:
    """An annotation of ours, "" for none."""
    return str((body["metadata"].get("annotations") or {}).get(f"redis-sentinel-operator.io/{name}", ""))
