"""What kopf calls: one daemon for the life of each cluster, and a waker. The only decorators of the product.

kopf is used for watching, the finalizer and the life of tasks. Nothing is returned from handlers and its `patch` is
never touched: a patch of kopf that fails once ends a daemon for ever, without a word (nolar/kopf#642).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import kopf

from redis_sentinel_operator.acts import ANNOTATION
from redis_sentinel_operator.api import GROUP, PLURAL, VERSION
from redis_sentinel_operator.cluster import Cluster, Services
from redis_sentinel_operator.errors import ObjectReplaced, OperatorError
from redis_sentinel_operator.kube.access import Access
from redis_sentinel_operator.kube.events import Events
from redis_sentinel_operator.model.desired import ClusterRef
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
    """What the handlers of one object share: its cluster while the daemon runs, and what it was last woken for."""

    cluster: Wakeable | None = None
    seen: tuple[object, ...] | None = None


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


def kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    """Return kopf's settings, each with the reason why it is not the default."""
    made = kopf.OperatorSettings()
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
        if type == "DELETED":
            services.metrics.forget(str(ref))
            events.forget(ref)
            return
        services.metrics.status(str(ref), body.status)
        events.status(ref, body.status)
        wake(_live(memo), body)

    return made


async def live(ref: ClusterRef, services: Services, shared: Live, stopped: kopf.DaemonStopped) -> None:
    """Run a cluster until kopf stops it; one that fails by a mistake is made anew, as kopf would never do."""

    def ended() -> bool:
        return bool(stopped)

    def deleted() -> bool:
        return kopf.DaemonStoppingReason.RESOURCE_DELETED in (stopped.reason or kopf.DaemonStoppingReason(0))

    while not ended():
        shared.cluster = cluster = Cluster(ref, services)
        try:
            await cluster.run(ended, deleted)
        except ObjectReplaced as error:
            log.info("%s: %s", ref, error)
            return
        except Exception:
            log.exception("%s: the cluster's loop failed and is begun again", ref)
        else:
            if not ended() and await _gone(ref, services):
                return
        finally:
            shared.cluster = None
        await stopped.wait(_RESTART_SECONDS)


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
    await kopf.operator(
        registry=registry(services, events),
        settings=kopf_settings(services.settings),
        memo=kopf.Memo(),
        clusterwide=True,
        standalone=True,
        identity=cast(Any, FINALIZER),  # unused without peering; kopf's default needs a passwd line for the uid
        ready_flag=ready,
        stop_flag=stop,
    )
