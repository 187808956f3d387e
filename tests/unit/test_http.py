"""The probes and metrics as kubelet and Prometheus ask for them."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from redis_sentinel_operator import http
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.sideline import Sideline


async def ask(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_a_probe_says_what_is_wrong() -> None:
    sick: list[str] = []
    waiting = ["the Lease is not held"]
    absent: list[str] = []
    app = http.application(Metrics(Settings()), lambda: sick, lambda: waiting, lambda: absent)
    with Sideline() as sideline:
        server = await sideline.call(http.serve(app, 0))
        port = int(server.addresses[0][1])
        assert await ask(port, "/healthz") == (200, "ok\n")
        assert await ask(port, "/readyz") == (503, "the Lease is not held\n")
        assert await ask(port, "/readyz/standby") == (200, "ok\n")
        absent.append("nobody renews it")
        assert await ask(port, "/readyz/standby") == (503, "nobody renews it\n")
        sick += ["one", "two"]
        waiting.clear()
        assert await ask(port, "/healthz") == (503, "one\ntwo\n")
        assert await ask(port, "/readyz") == (200, "ok\n")
        status, text = await ask(port, "/metrics")
        assert status == 200 and "rso_setting" in text
        await sideline.call(server.cleanup())


async def test_a_taken_port_is_an_error() -> None:
    app = http.application(Metrics(Settings()), list, list, list)
    with Sideline() as sideline, socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(OSError, match="address already in use"):
            await sideline.call(http.serve(app, int(taken.getsockname()[1])))
