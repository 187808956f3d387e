"""The first cluster.yaml: what was typed, and what the hosts said of themselves; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.cli.asking import Asked, Found, sentinels_of


@dataclass(frozen=True, slots=True)
class Place:
    """A host of the cluster."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Draft:
    """All that the file is made of; `asked` is by address, and empty where nobody was asked."""

    name: str
    namespace: str
    places: tuple[Place, ...]
    ssh_user: str
    ssh_port: int
    asked: Mapping[str, Asked]
    found: Found

    @property
    def without_password(self) -> bool:
        """Whether the servers run, and let everybody in."""
        return self.found.master is not None and not self.found.has_password

    @property
    def first(self) -> Place:
        """The host that is master, or is to be the first one."""
        address = self.found.master.address if self.found.master else ""
        return next((place for place in self.places if place.address == address), self.places[0])

    @property
    def sentinels(self) -> frozenset[str]:
        """The names of the hosts with a sentinel: where one runs, else an odd number, rather not beside the master."""
        running = {place.name for place in self.places if self._state(place, "sentinel") == "Answers"}
        if running:
            told = sentinels_of(each for host in self.asked.values() for each in host.watched)
            return frozenset(running | {place.name for place in self.places if place.address in told})
        names = [place.name for place in self.places]
        if len(names) % 2 == 0:
            names.remove(self.first.name)
        return frozenset(names)

    def has_redis(self, place: Place) -> bool:
        """Whether a host runs redis, or is to: not one with a sentinel alone beside a running cluster."""
        if self.found.master is None:
            return True
        return self._state(place, "redis") != "Absent" or self._state(place, "sentinel") != "Answers"

    def _state(self, place: Place, service: str) -> str:
        asked = self.asked.get(place.address)
        return getattr(asked, service) if asked is not None else ""


def cluster_yaml(draft: Draft) -> str:
    """Return the file, with a word on what is to be looked at."""
    return "".join(f"{line}\n" for line in _lines(draft))


def _lines(draft: Draft) -> Iterator[str]:
    master = draft.found.master
    yield f"apiVersion: {API_VERSION}"
    yield f"kind: {KIND}"
    yield "metadata:"
    yield f"  name: {draft.name}"
    yield f"  namespace: {_quoted(draft.namespace)}"
    yield "spec:"
    yield "  management: Observe  # look first: `kubectl rsc status`; without this line the operator works"
    if master is not None and master.name != draft.name:
        yield f"  masterName: {_quoted(master.name)}  # as the sentinels know it"
    yield "  hosts:"
    for place in draft.places:
        yield f"  - {{{_host(draft, place)}}}"
    yield f"  initialMaster: {_quoted(draft.first.name)}" + ("  # it is master now" if master else "")
    yield "  ssh:"
    yield "    secretRef: {name: redis-ssh}"
    if draft.ssh_user != "root":
        yield f"    user: {_quoted(draft.ssh_user)}"
        yield "    sudo: true"
    if draft.ssh_port != 22:
        yield f"    port: {draft.ssh_port}"
    if not draft.without_password:
        yield "  auth:"
        yield "    passwordSecretRef: {name: redis-auth}"
    yield from _settings(draft)


def _settings(draft: Draft) -> Iterator[str]:
    master, config = draft.found.master, draft.found.config
    if config:
        yield "  redis:"
        yield "    config:  # what all of them have in force"
        for key, value in config.items():
            yield f"      {key}: {value if value.isdigit() else _quoted(value)}"
    if master is not None:
        yield "  sentinel:  # as they are set now"
        yield f"    quorum: {master.quorum}"
        yield f"    downAfterMilliseconds: {master.down_after}"
        yield f"    failoverTimeoutMilliseconds: {master.failover_timeout}"
        yield f"    parallelSyncs: {master.parallel_syncs}"


def _host(draft: Draft, place: Place) -> str:
    parts = [f"name: {_quoted(place.name)}", f"address: {_quoted(place.address)}"]
    if not draft.has_redis(place):
        parts.append("redis: false")
    if place.name not in draft.sentinels:
        parts.append("sentinel: false")
    return ", ".join(parts)


def _quoted(text: str) -> str:
    """Return a scalar that is a string for every reader of YAML."""
    plain = text.replace("_", "").replace("-", "").replace(".", "").isalnum() and not text[0].isdigit()
    dotted = text.count(".") == 3 and text.replace(".", "").isdigit()
    return text if (plain and text.lower() not in _WORDS) or dotted else f'"{text}"'


_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})
