"""What all clusters of one operator process share."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.lease import Lease
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.outliving import Outlive
from redis_sentinel_operator.scope import Scope
from redis_sentinel_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """`identity` is the uid of kube-system, `scope` which resources are ours; `outlive` makes the Lease's epoch later.

    `first_readings` are the places for clusters that no host is connected of: where hundreds are connected to at once,
    as after a start, each takes so long that all miss their deadlines, and again the next time.
    """

    kube: KubeClient
    lease: Lease
    settings: Settings
    pool: ThreadPoolExecutor
    metrics: Metrics
    identity: str
    first_readings: asyncio.Semaphore
    scope: Scope
    outlive: Outlive
