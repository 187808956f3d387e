"""What the client does between requests."""

from __future__ import annotations

import time

import aiohttp.connector
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from redis_sentinel_operator.kube.client import KubeClient


async def test_a_request_after_a_quiet_minute_needs_no_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass comes every 60 s, give or take a tenth; what a switch of the master finds is what the last pass left."""
    seen: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.append(request.transport.get_extra_info("peername"))
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = KubeClient(Configuration(host=host, client_session_kwargs={"trust_env": False}), {})
    try:
        await client.request("GET", "/")
        monkeypatch.setattr(aiohttp.connector, "monotonic", lambda: time.monotonic() + 75)
        await client.request("GET", "/")
    finally:
        await client.close()
        await runner.cleanup()
    assert len(seen) == 2
    assert len(set(seen)) == 1
