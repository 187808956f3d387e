"""The process: settings, preflight, Lease, probes, then kopf; and a clean end.

Order matters. Nothing is read of a host before the Lease is held, and nothing that must outlive a hanging loop lives
in it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NoReturn

from aiohttp import web

from redis_sentinel_operator import handlers, http, logs
from redis_sentinel_operator.api.crd import document as crd_document
from redis_sentinel_operator.errors import ApiUnavailable, KubeError, OperatorError
from redis_sentinel_operator.kube.access import own_namespace
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.events import Events
from redis_sentinel_operator.kube.holder import own_name
from redis_sentinel_operator.kube.lease import Lease
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.scope import LEASE, Scope, scope_from_environment
from redis_sentinel_operator.services import Services
from redis_sentinel_operator.settings import Settings, from_environment
from redis_sentinel_operator.sideline import Sideline

_CRD_GRACE: Final = 10.0  # a CRD applied a moment ago is served a moment later
_RETRY: Final = 2.0
_PULSE: Final = 5.0
_PULSE_LIMIT: Final = 60.0
_LAST_THREADS: Final = 2.0
_LEASE_REQUEST: Final = 4.0  # below the renew deadline, so that a lost packet costs one renewal and not the Lease

_SETUP: Final = "namespace and rights of the operator: kubectl apply -k deploy/, or its chart with your values"

log = logging.getLogger("redis_sentinel_operator")


class CannotStart(OperatorError):
    """The surroundings are not such that the operator can work; the message names the mend."""


@dataclass(slots=True)
class Health:
    """What the probes ask: filled while the process comes up, read from the sideline's thread."""

    metrics: Metrics
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    lease: Lease | None = None
    renewing: Future[None] | None = None
    pulse: float = field(default_factory=time.monotonic)

    def unhealthy(self) -> Sequence[str]:
        """Return why a restart would help."""
        problems = list(self.metrics.stuck())
        age = time.monotonic() - self.pulse
        if age > _PULSE_LIMIT:
            problems.append(f"the event loop has been stuck for {age:.0f} s")
        if self.renewing is not None and self.renewing.done():
            problems.append("nobody renews the Lease any more")
        return problems

    def unready(self) -> Sequence[str]:
        """Return why this process does not do its work now."""
        problems = [] if self.ready.is_set() else ["clusters are not watched yet"]
        if self.lease is None or not self.lease.fresh():
            problems.append("the Lease is not held, or its renewal is overdue")
        return problems

    def absent(self) -> Sequence[str]:
        """Return why this process neither does its work nor is ready to take it over from who does."""
        return () if self.lease is not None and self.lease.stands_by() else self.unready()

    async def beat(self) -> None:
        """Show for ever that the main loop turns."""
        while True:
            self.pulse = time.monotonic()
            await asyncio.sleep(_PULSE)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the operator; the console script. Exits 0 after SIGTERM, 1 when it cannot work, 2 on wrong settings."""
    _parser().parse_args(arguments)
    try:
        settings, scope = from_environment(os.environ), scope_from_environment(os.environ)
        logs.configure(os.environ.get("LOG_FORMAT") or "text", os.environ.get("LOG_LEVEL") or "INFO")
    except ValueError as error:
        print(f"redis-sentinel-operator: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(2)
    code = 0
    try:
        asyncio.run(operate(settings, scope, os.environ))
    except OperatorError as error:
        log.critical("%s", error)
        code = 1
    except Exception:
        log.critical("the operator ends by a mistake of its own", exc_info=True)
        code = 1
    _leave(code)


async def operate(settings: Settings, scope: Scope, environment: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        CannotStart: the served CRD is missing or too old, a right is missing, the HTTP port is taken.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
    metrics = Metrics(settings)
    health = Health(metrics)
    with Sideline() as sideline:
        server = await _serve(sideline, health, int(settings.http_port))
        kube = await KubeClient.connect(environment)
        lease_kube = await sideline.call(KubeClient.connect(environment, _LEASE_REQUEST))
        health.lease = Lease(lease_kube, own_namespace(environment), own_name(), settings, scope.lease)
        metrics.lease(health.lease.fresh)
        beating = asyncio.create_task(health.beat(), name="pulse")
        try:
            starting = asyncio.create_task(_start(kube, health.lease, sideline), name="start")
            if await _unless(stop, starting):
                health.renewing = sideline.start(health.lease.renew_forever(_die))
                pool = ThreadPoolExecutor(int(settings.ssh_threads), thread_name_prefix="ssh")
                places = asyncio.Semaphore(int(settings.first_readings))
                outlive = partial(_outlive, health.lease, sideline)
                shared = (kube, health.lease, settings, pool, metrics, starting.result(), places)
                await _work(Services(*shared, scope, outlive), health.ready, stop)
        finally:
            beating.cancel()
            await sideline.call(health.lease.release())
            await kube.close()
            await sideline.call(lease_kube.close())
            await sideline.call(server.cleanup())


async def _start(kube: KubeClient, lease: Lease, sideline: Sideline) -> str:
    """Check the surroundings and take the Lease; return the identity of the Kubernetes cluster."""
    identity = await preflight(kube)
    try:
        await sideline.call(lease.acquire())
    except KubeError as error:
        raise CannotStart(f"{error}; {_SETUP}") from None
    return identity


async def _outlive(lease: Lease, sideline: Sideline, epoch: int) -> int:
    return await sideline.call(lease.outlive(epoch))


async def _work(services: Services, ready: asyncio.Event, stop: asyncio.Event) -> None:
    events = Events(services.kube, own_name())
    # begun before kopf, so that it does not take them for its own at its end
    beside = [
        asyncio.create_task(events.run(), name="events"),
        asyncio.create_task(_take_signals_back(ready, stop), name="signals"),
    ]
    try:
        await handlers.run(services, events, ready=ready, stop=stop)
    finally:
        for task in beside:
            task.cancel()
        services.pool.shutdown(wait=False, cancel_futures=True)


async def preflight(kube: KubeClient) -> str:
    """Return the uid of kube-system once the API server is there and serves a CRD that fits; waits for the former.

    Raises:
        CannotStart: the CRD is missing or too old, or a right is missing.
    """
    schema = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    deadline = time.monotonic() + _CRD_GRACE
    while True:
        try:
            problems = await kube.served_schema_problems(schema)
            if not problems:
                return await kube.kube_system_uid()
        except ApiUnavailable as error:
            log.warning("waiting for the API server: %s", error)
            deadline = time.monotonic() + _CRD_GRACE
        except KubeError as error:
            raise CannotStart(f"{error}; {_SETUP}") from None
        else:
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{'; '.join(problems[:3])}{' ...' if problems[3:] else ''}; "
                    "apply the CRD of this version: kubectl apply --server-side -f crds/"
                )
        await asyncio.sleep(_RETRY)


async def _serve(sideline: Sideline, health: Health, port: int) -> web.AppRunner:
    app = http.application(health.metrics, health.unhealthy, health.unready, health.absent)
    try:
        return await sideline.call(http.serve(app, port))
    except OSError as error:
        raise CannotStart(f"port {port} for probes and metrics cannot be had: {error}; set RSO_HTTP_PORT") from None


async def _unless(stop: asyncio.Event, task: asyncio.Task[str]) -> bool:
    """Wait for a task; False, with the task cancelled, when `stop` comes first."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        return False
    task.result()
    return True


def _stop_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _take_signals_back(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Replace kopf's signal handlers: on a signal it leaves its own waiter of `stop` behind, and waits 5 s for it."""
    await ready.wait()
    _stop_on_signals(stop)


def _die(why: str) -> None:
    """End this instant: another operator works, and every connection of this one must be closed now."""
    log.critical("%s; this process ends", why)
    logging.shutdown()
    os._exit(1)


def _leave(code: int) -> NoReturn:
    """Exit; a thread that hangs in a dead host's socket does not hold the process for longer than a moment."""
    deadline = time.monotonic() + _LAST_THREADS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                os._exit(code)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(f"RSO_{item.name.upper()}={item.default:g}" for item in fields(Settings))
    parser = argparse.ArgumentParser(
        prog="redis-sentinel-operator",
        description="Kubernetes operator for Redis Sentinel on machines outside Kubernetes.",
        epilog="Everything is set by environment: KUBECONFIG (else the Pod's ServiceAccount), POD_NAMESPACE, "
        "LOG_FORMAT=text|json, LOG_LEVEL=INFO; RSO_NAMESPACES=a,b (else all) and RSO_SELECTOR=team=a for what it looks "
        f"after, RSO_LEASE={LEASE} where two of them share a namespace; and in seconds or as named {names}.",
    )
    try:
        number = version("redis-sentinel-operator")
    except PackageNotFoundError:  # run from a checkout
        number = "0 (checkout)"
    parser.add_argument("--version", action="version", version=f"%(prog)s {number}")
    return parser
