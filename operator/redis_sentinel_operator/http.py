"""Probes and metrics: a small server that runs beside the operator and answers also when that hangs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from redis_sentinel_operator.metrics import Metrics

Problems = Callable[[], Sequence[str]]


def application(metrics: Metrics, unhealthy: Problems, unready: Problems, absent: Problems) -> web.Application:
    """Return the app; a probe fails with 503 and the sentences of its function while there are any.

    /readyz is for the one that works; of two replicas one only waits, and is as ready: /readyz/standby (`absent`).
    """

    async def healthz(_: web.Request) -> web.Response:
        return _answer(unhealthy())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(unready())

    async def standby(_: web.Request) -> web.Response:
        return _answer(absent())

    async def render(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    probes = {"/healthz": healthz, "/readyz": readyz, "/readyz/standby": standby, "/metrics": render}
    app.add_routes([web.get(path, answer) for path, answer in probes.items()])
    return app


def _answer(problems: Sequence[str]) -> web.Response:
    text = "\n".join(problems) or "ok"
    return web.Response(text=text + "\n", status=503 if problems else 200)


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Listen on all addresses (kubelet asks from the node's) and return the running server; `cleanup()` ends it.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - probes come from outside
    except OSError:
        await runner.cleanup()
        raise
    return runner
