"""What kopf calls: one daemon for the life of each cluster, and a waker. The only decorators of the product.

kopf is used for watching, the finalizer and the life of tasks. Nothing is returned from handlers and its `patch` is
never touched: a patch of kopf that fails once ends a daemon for ever, without a word (nolar/kopf#642).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, cast

import kopf
from kopf._cogs.structs.references import Insights  # a parameter of kopf.operator, which exports no name for it

from redis_sentinel_operator import logs
from redis_sentinel_operator.acts import ANNOTATION
from redis_sentinel_operator.api import GROUP, PLURAL, VERSION
from redis_sentinel_operator.api.planned import planned_for
from redis_sentinel_operator.cluster import Cluster
from redis_sentinel_operator.errors import ObjectReplaced, OperatorError
from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.kube.access import Access
from redis_sentinel_operator.kube.events import Events
from redis_sentinel_operator.kube.namespaces import Namespaces
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.services import Services
from redis_sentinel_operator.settings import Settings

FINALIZER: Final = f"{GROUP}/finalizer"
_RESTART_SECONDS: Final = 5.0
_FORCE_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class Wakeable(Protocol):
    """What `wake` needs of a cluster."""

    def wake(self, why: str, *, changed: bool = False) -> None:
        """Ask for a pass now; `changed`: the resource itself was."""


@dataclass(slots=True)
class Live:
    """What the handlers of one object share: its cluster while it runs, what it was last woken for, and its end."""

    cluster: Wakeable | None = None
    seen: tuple[object, ...] | None = None
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by whoever runs the cluster
    deleted: asyncio.Event = field(default_factory=asyncio.Event)  # the hosts are to be left
    left: asyncio.Event = field(default_factory=asyncio.Event)  # they are
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # the API server has it no more, or not for us
    told: News | None = None  # what is to be told of that


class Backoffs:
    """Waits between attempts of kopf's own requests: for ever, growing to 30 s, never in step with other clients.

    kopf ends the process when they are used up, and following must outlive an API server that answers 5xx for an hour.
    """

    def __iter__(self) -> Iterator[float]:
        """Yield seconds without end."""
        seconds = 1.0
        while True:
            yield seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no secret
            seconds = min(seconds * 2, 30.0)


def kopf_settings(settings: Settings, selector: str = "") -> kopf.OperatorSettings:
    """Return kopf's settings, each with the reason why it is not the default."""
    made = kopf.OperatorSettings()
    if selector:  # the API server selects: kopf would take our finalizer, which is theirs too, off those of others
        made.watching.label_selectors[GROUP, VERSION, PLURAL] = selector
    made.scanning.disabled = True  # no watching of CRDs and namespaces: fewer rights; main checks what is served
    made.posting.enabled = False  # Events are posted by us, on transitions
    made.peering.standalone = True  # another team's kopf operator must not pause us; the Lease is ours
    made.persistence.finalizer = FINALIZER
    made.networking.error_backoffs = Backoffs()
    made.networking.request_timeout = 30.0
    made.networking.connect_timeout = 10.0
    made.watching.server_timeout = 600  # an int: it goes into the query as it is
    made.watching.connect_timeout = 10.0
    made.execution.default_backoff = _RESTART_SECONDS
    # the deletion waits in place for the daemon, so that it ends with it and not at kopf's next look
    made.background.instant_exit_timeout = settings.delete_timeout
    made.process.ultimate_exiting_timeout = 60.0
    return made


def registry(services: Services, events: Events) -> kopf.OperatorRegistry:
    """Return the handlers, bound to the services of this process."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(await services.kube.access())

    @kopf.daemon(
        GROUP, VERSION, PLURAL, registry=made, id="cluster",
        cancellation_polling=1.0, cancellation_timeout=_FORCE_SECONDS, backoff=_RESTART_SECONDS,
    )  # fmt: skip
    async def cluster(
        namespace: str | None, name: str, uid: str, memo: kopf.Memo, stopped: kopf.DaemonStopped, **_: Any
    ) -> None:
        ref = ClusterRef(str(namespace), name, uid)
        await live(ref, services, _live(memo), stopped)
        services.metrics.forget(str(ref))
        events.forget(ref)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=made, id="waker")
    async def waker(body: kopf.Body, memo: kopf.Memo, type: str | None, **_: Any) -> None:  # noqa: A002 - kopf's name
        ref = ClusterRef(str(body.metadata.namespace), str(body.metadata.name), str(body.metadata.uid))
        logs.about(str(ref))
        if type == "DELETED":  # or another operator's from now on
            _live(memo).gone.set()
            services.metrics.forget(str(ref))
            events.forget(ref)
            return
        if not planned_for(body):
            services.metrics.status(str(ref), body.status)
            events.status(ref, body.status)
        if is_ours_to_leave(body):
            await leave(ref, services, _live(memo), events)
        else:
            wake(_live(memo), body)

    return made


class Stopped(Protocol):
    """kopf's word that a daemon is to end."""

    def __bool__(self) -> bool:
        """Whether it is."""

    def wait(self, timeout: float | None = None) -> Awaitable[object]:
        """Wait for it, at most so many seconds."""


class NeverStopped:
    """Of a cluster that no daemon runs: kopf cancels its task."""

    def __bool__(self) -> bool:
        """Never."""
        return False

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - kopf's
        """Wait in vain."""
        await asyncio.sleep(timeout or 0.0)


async def live(ref: ClusterRef, services: Services, shared: Live, stopped: Stopped) -> None:
    """Run a cluster until kopf stops it or its hosts are left; one that fails by a mistake is made anew.

    kopf would never do that. It tells a daemon of a deletion only when `leave` has returned, and never of an object
    that is another operator's by its labels: that one keeps our finalizer, which is also the other's.
    """
    logs.about(str(ref))

    def over() -> bool:
        return bool(stopped) or shared.gone.is_set()

    async with shared.alone:
        while not over() and not shared.left.is_set():
            shared.cluster = cluster = Cluster(ref, services)
            try:
                told = await cluster.run(over, shared.deleted.is_set)
            except ObjectReplaced as error:
                log.info("%s: %s", ref, error)
                shared.left.set()
                return
            except Exception:
                log.exception("%s: the cluster's loop failed and is begun again", ref)
            else:
                if shared.deleted.is_set() and not over():
                    shared.told = told
                    shared.left.set()
                elif not over() and await _gone(ref, services):
                    return
            finally:
                shared.cluster = None
            if not shared.left.is_set():
                await stopped.wait(_RESTART_SECONDS)


def is_ours_to_leave(body: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted, and waits for us."""
    metadata = body["metadata"]
    return bool(metadata.get("deletionTimestamp")) and FINALIZER in (metadata.get("finalizers") or ())


async def leave(ref: ClusterRef, services: Services, shared: Live, events: Events) -> None:
    """Leave the hosts of an object that is being deleted; kopf takes our finalizer off once this has returned.

    Whoever runs the cluster does it. After a start of the operator that is nobody, as kopf begins no daemon for what is
    being deleted. Where this process ends before, this never returns: the next one goes on.
    """
    if shared.left.is_set():
        return
    shared.deleted.set()
    try:
        async with asyncio.timeout(services.settings.departure_timeout + _FORCE_SECONDS * 2):
            if not shared.alone.locked():
                await live(ref, services, shared, NeverStopped())
            await shared.left.wait()
    except TimeoutError:
        log.error("%s: the hosts could not be left in time, and are left as they are", ref)
    if shared.told is not None:
        events.tell(ref, shared.told)


async def _gone(ref: ClusterRef, services: Services) -> bool:
    """Whether the object is gone or another has its name; a loop that ended while it is there is begun again."""
    try:
        body = await services.kube.get_cluster(ref.namespace, ref.name)
    except OperatorError:
        return False
    return body is None or body["metadata"]["uid"] != ref.uid


def wake(shared: Live, body: Mapping[str, Any]) -> None:
    """Wake the cluster when the spec or our annotation changed; its own status and other annotations do not count.

    A deletion is not among it: the daemon is stopped then, and must not begin a pass right before that.
    """
    metadata = body["metadata"]
    if metadata.get("deletionTimestamp"):  # it raises the generation as well
        return
    act = str((metadata.get("annotations") or {}).get(ANNOTATION, ""))
    seen = (metadata.get("generation"), hashlib.sha256(act.encode()).digest())
    if seen == shared.seen:
        return
    first, shared.seen = shared.seen is None, seen
    if shared.cluster is not None and not first:
        shared.cluster.wake("the resource changed", changed=True)


def _live(memo: kopf.Memo) -> Live:
    """Return what the handlers of one object share; kopf gives each object a memo of its own."""
    if "live" not in memo:
        memo.live = Live()
    shared: Live = memo.live
    return shared


def connection(access: Access) -> kopf.ConnectionInfo:
    """Return the way of our own client to the API server in kopf's words."""
    scheme, _, token = (access.authorization or "").partition(" ")
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_path,
        insecure=access.insecure,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=access.certificate_path,
        private_key_path=access.private_key_path,
        proxy_url=access.proxy,
    )


async def run(services: Services, events: Events, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Run kopf until `stop`; `ready` is set when it begins to watch."""
    names = services.scope.namespaces
    insights = Insights()
    namespaces = Namespaces(services.kube, names, services.settings.resync)
    # begun before kopf, so that it does not take the task for its own at its end
    keeping = asyncio.create_task(namespaces.keep(partial(_watch, insights)), name="namespaces") if names else None
    try:
        await kopf.operator(
            registry=registry(services, events),
            settings=kopf_settings(services.settings, services.scope.selector),
            memo=kopf.Memo(),
            clusterwide=not names,
            namespaces=["*"] if names else (),  # as it scans for none, this is none: `keeping` adds and removes them
            insights=insights,
            standalone=True,
            identity=cast(Any, FINALIZER),  # unused without peering; kopf's default needs a passwd line for the uid
            ready_flag=ready,
            stop_flag=stop,
        )
    finally:
        if keeping is not None:
            keeping.cancel()


async def _watch(insights: Insights, namespaces: set[str]) -> None:
    """Let kopf watch these namespaces and no others."""
    async with insights.revised:
        insights.namespaces.clear()
        insights.namespaces.update(cast(Any, namespaces))
        insights.revised.notify_all()
