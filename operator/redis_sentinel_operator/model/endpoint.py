"""Where the Services of a cluster lead to: from the judge to the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Group = Literal["master", "replicas", "sentinels"]
GROUPS: Final[tuple[Group, ...]] = ("master", "replicas", "sentinels")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address behind a Service; only one that is ready gets connections."""

    address: str
    ready: bool


Endpoints: TypeAlias = tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """The endpoints of the three Services. None: not known yet, so that what is published stays as it is."""

    master: Endpoints | None = None
    replicas: Endpoints | None = None
    sentinels: Endpoints | None = None

    def of(self, group: Group) -> Endpoints | None:
        """Return the endpoints of one Service."""
        found: Endpoints | None = getattr(self, group)
        return found


@dataclass(frozen=True, slots=True)
class ServicesSeen:
    """What was found of the Services in Kubernetes, each as a sentence's part. All empty: they are as they should be.

    `foreign`: Services of our names that are not ours; `strangers`: EndpointSlices of others behind our Services;
    `refused`: why the API server does not take something; `absent`: names of Services that are not there. `headless`:
    the API server has no service addresses of the hosts' family.
    """

    foreign: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    refused: str = ""
    absent: tuple[str, ...] = ()
    headless: bool = False


def service_name(cluster: str, group: Group) -> str:
    """Return the name of a Service of a cluster: the master's is the cluster's own."""
    return cluster if group == "master" else f"{cluster}-{group}"
