"""The seed's cluster as facts: a master without a sentinel, three replicas with one. Tests change their part."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import ClusterRef, Desired, DesiredHost, SentinelSettings, SshAccess
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    DataFile,
    Denied,
    Fact,
    FileFacts,
    FirewallFacts,
    HostFacts,
    Known,
    OsFacts,
    Process,
    RedisFacts,
    ReplicaLink,
    SentinelFacts,
    SentinelView,
    Unknown,
)
from redis_sentinel_operator.model.verdict import MasterRecord

NAME = "redis-cluster"
OWNER = "c0ffee/default/redis"
M, S1, S2, S3 = "redis_master01", "redis_slave01", "redis_slave02", "redis_slave03"
ADDRESS = {M: "192.168.3.41", S1: "192.168.3.42", S2: "192.168.3.43", S3: "192.168.3.44"}
AWAY = Unknown("no answer within 3 s")
LAST = MasterRecord(M, ADDRESS[M], 6379, 0, "2026-01-31T12:00:00Z")

RedisFact = Fact[RedisFacts | Denied | None]
SentinelFact = Fact[SentinelFacts | Denied | None]


def desired(**changes: object) -> Desired:
    hosts = tuple(DesiredHost(name, at, SshAccess(at), sentinel=name != M) for name, at in ADDRESS.items())
    whole = Desired(ClusterRef("default", "redis", "uid-1"), 1, NAME, "Full", hosts, M, SentinelSettings(2))
    return replace(whole, **changes)  # type: ignore[arg-type]


def view(host: str, epoch: int = 0, *flags: str, told: str = "", quorum_ok: bool | None = True) -> SentinelView:
    return SentinelView(
        address=ADDRESS.get(host, host),
        port=6379,
        told_address=ADDRESS.get(told or host, told or host),
        config_epoch=epoch,
        flags=frozenset(("master", *flags)),
        quorum=2,
        down_after=5000,
        failover_timeout=10000,
        parallel_syncs=1,
        num_slaves=3,
        num_other_sentinels=2,
        quorum_ok=quorum_ok,
    )


def sentinel(
    host: str, epoch: int = 0, *flags: str, told: str = "", tilt: bool = False, quorum_ok: bool | None = True
) -> Known[SentinelFacts | Denied | None]:
    seen = view(host, epoch, *flags, told=told, quorum_ok=quorum_ok)
    return Known(SentinelFacts("3.2.6", "r", 2, tilt, (NAME,), seen, my_id="a" * 40))


def knows_only(*names: str) -> Known[SentinelFacts | Denied | None]:
    return Known(SentinelFacts("3.2.6", "r", 2, False, names, None))


def master(*replicas: str) -> Known[RedisFacts | Denied | None]:
    links = tuple(ReplicaLink(ADDRESS[name], 6379, 100) for name in replicas)
    return Known(RedisFacts("3.2.6", "r", 1, "master", 60, replicas=links))


def replica(of: str = M, link: str = "up", syncing: bool = False) -> Known[RedisFacts | Denied | None]:
    facts = RedisFacts(
        "3.2.6", "r", 1, "slave", 60, master_address=ADDRESS[of], master_port=6379, link=link, syncing=syncing
    )
    return Known(facts)


def file(path: str, text: str) -> FileFacts:
    return FileFacts(path, 0o640, "redis", "root", text)


def bare(name: str) -> HostFacts:
    return HostFacts(
        name=name,
        address=ADDRESS[name],
        os=Known(OsFacts("centos", "7")),
        packages=Known({}),
        files=Known({EL7.redis_conf: None, EL7.sentinel_conf: None}),
        units=Known({}),
        firewall=Known(FirewallFacts("none")),
        data=Known(()),
        processes=Known(()),
        listeners=Known(()),
        claim=Known(None),
        redis=Known(None),
        sentinel=Known(None),
    )


def unreachable(name: str, reason: str = "HostUnreachable", message: str = "no route to host") -> HostFacts:
    gone = Unknown(message, reason)
    return HostFacts(name, ADDRESS[name], gone, gone, gone, gone, gone, gone, gone, gone, gone, gone, gone)


def with_conf(host: HostFacts, redis_conf: str | None = None, sentinel_conf: str | None = None) -> HostFacts:
    files = {
        EL7.redis_conf: None if redis_conf is None else file(EL7.redis_conf, redis_conf),
        EL7.sentinel_conf: None if sentinel_conf is None else file(EL7.sentinel_conf, sentinel_conf),
    }
    return replace(host, files=Known(files))


def owned(host: HostFacts, bootstrap_id: str = "b1", owner: str = OWNER, first: str = "") -> HostFacts:
    return replace(host, claim=Known(Claim(owner, bootstrap_id, first)))


def with_data(host: HostFacts) -> HostFacts:
    return replace(host, data=Known((DataFile("/var/lib/redis/dump.rdb", 76),)))


def with_process(host: HostFacts, name: str = "redis-server") -> HostFacts:
    return replace(host, processes=Known((Process(4711, name, "", name == "redis-sentinel"),)))


def alive(name: str) -> HostFacts:
    """A host of the running seed: master01 is master, claimed by us."""
    host = owned(with_data(with_process(bare(name))))
    if name == M:
        return replace(host, redis=master(S1, S2, S3))
    conf = f"sentinel monitor {NAME} {ADDRESS[M]} 6379 2\nsentinel known-slave {NAME} {ADDRESS[S1]} 6379\n"
    host = with_conf(host, f"slaveof {ADDRESS[M]} 6379\n", conf)
    watching = sentinel(M)
    assert isinstance(watching.value, SentinelFacts)
    return replace(host, redis=replica(), sentinel=Known(replace(watching.value, my_id=name[-1] * 40)))


def facts(*changed: HostFacts, of: object = bare) -> ClusterFacts:
    """Return a reading of all hosts, made by `of`, with some of them changed."""
    assert callable(of)
    hosts = {name: of(name) for name in ADDRESS} | {host.name: host for host in changed}
    return ClusterFacts(hosts, 0.0)


def running() -> ClusterFacts:
    return facts(of=alive)
