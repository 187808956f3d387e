"""What Prometheus has of a cluster, minute by minute, and which alerts fire then: for each rule when, and when not.

Series are added to those of a healthy cluster of three sentinels or take their place. Values are promtool's: `0x9` is 0
ten times, `_x9` nothing ten times, `0+60x9` counts. Alerts that are not named must not fire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str]
MINUTES = 90
ALWAYS, NEVER, GONE = f"1x{MINUTES}", f"0x{MINUTES}", f"_x{MINUTES}"
UNKNOWN = f"-1x{MINUTES}"

HEALTHY: Series = {
    'rso_phase{phase="Healthy"}': ALWAYS,
    'rso_condition{type="MasterConfirmed",reason="MasterConfirmed"}': ALWAYS,
    'rso_condition{type="QuorumHealthy",reason="QuorumReached"}': ALWAYS,
    'rso_condition{type="ReplicationHealthy",reason="ReplicasLinked"}': ALWAYS,
    'rso_condition{type="ConfigInSync",reason="AllAsDeclared"}': ALWAYS,
    'rso_condition{type="CredentialsInSync",reason="CredentialsInSync"}': ALWAYS,
    "rso_quorum{}": ALWAYS,
    "rso_sentinels_needed{}": f"2x{MINUTES}",
    **{f'rso_sentinel_reachable{{host="s{n}"}}': ALWAYS for n in (1, 2, 3)},
    **{f'rso_host_reachable{{host="s{n}"}}': ALWAYS for n in (1, 2, 3)},
    'rso_failovers_total{result="Succeeded",cause="Failure"}': NEVER,
    'rso_failovers_total{result="Succeeded",cause="Ours"}': NEVER,
    "rso_last_pass_timestamp_seconds{}": f"0+60x{MINUTES}",
}
PROCESS: Series = {
    'rso_lease_fresh{namespace="redis-sentinel-operator"}': ALWAYS,
    'rso_setting{namespace="redis-sentinel-operator",setting="pass_timeout"}': f"900x{MINUTES}",
    'rso_setting{namespace="redis-sentinel-operator",setting="resync"}': f"60x{MINUTES}",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One that fires; `host` where it is about one, `of_process` where it is about no cluster."""

    name: str
    severity: str
    host: str = ""
    of_process: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What is seen, and which alerts there are at that minute."""

    what: str
    minute: int
    alerts: tuple[Alert, ...] = ()
    series: Series = field(default_factory=lambda: HEALTHY)
    process: Series = field(default_factory=lambda: PROCESS)


def condition(kind: str, reason: str, values: str) -> Series:
    """The healthy cluster with another condition in the place of that one."""
    kept = {name: value for name, value in HEALTHY.items() if f'type="{kind}"' not in name}
    return kept | {f'rso_condition{{type="{kind}",reason="{reason}"}}': values}


def in_phase(name: str, series: Series = HEALTHY) -> Series:
    """The cluster in another phase."""
    kept = {each: value for each, value in series.items() if not each.startswith("rso_phase")}
    return kept | {f'rso_phase{{phase="{name}"}}': ALWAYS}


def cases() -> tuple[Case, ...]:
    """All of them."""
    return (Case("all is well", 80), *_master(), *_quorum(), *_replication(), *_drift(), *_hosts(), *_others())


def _master() -> tuple[Case, ...]:
    gone, unknown = Alert("RedisSentinelNoMaster", "critical"), Alert("RedisSentinelNoMaster", "warning")
    down = condition("MasterConfirmed", "MasterStopped", NEVER)
    away = condition("MasterConfirmed", "SentinelsUnreachable", UNKNOWN)
    changing = condition("MasterConfirmed", "SwitchGoingOn", f"0 0 0 _x{MINUTES}")
    other = {'rso_condition{type="MasterConfirmed",reason="MasterStopped"}': f"_ _ 0x{MINUTES}"}
    refused = {'rso_condition{type="PreflightPassed",reason="WritesRefused"}': NEVER}
    return (
        Case("a failover of half a minute", 0, (), down),
        Case("the master is down for two minutes", 2, (gone,), down),
        Case("the reason changes meanwhile", 3, (gone,), {**changing, **other}),
        Case("the master refuses writes", 2, (gone,), {**HEALTHY, **refused}),
        Case("who is master is unknown for a minute", 2, (), away),
        Case("who is master is unknown for long", 6, (unknown,), away),
        Case("there is no cluster yet", 60, (), condition("MasterConfirmed", "NoClusterYet", UNKNOWN)),
    )


def _quorum() -> tuple[Case, ...]:
    lost, risk = Alert("RedisSentinelQuorumLost", "critical"), Alert("RedisSentinelQuorumAtRisk", "warning")
    two = {**HEALTHY, 'rso_sentinel_reachable{host="s3"}': NEVER}
    one = {**two, 'rso_sentinel_reachable{host="s2"}': NEVER, "rso_quorum{}": NEVER}
    five = {**two, **{f'rso_sentinel_reachable{{host="s{n}"}}': ALWAYS for n in (4, 5)}}
    five = {**five, "rso_sentinels_needed{}": f"3x{MINUTES}"}
    return (
        Case("no quorum for a moment", 0, (), one),
        Case("one of three sentinels works", 8, (lost,), one),
        Case("two of three work, for a moment", 3, (), two),
        Case("two of three work", 6, (risk,), two),
        Case("four of five work", 60, (), five),
        Case("a quorum of three, and all three work", 60, (), {**HEALTHY, "rso_sentinels_needed{}": f"3x{MINUTES}"}),
        Case("one names another master", 6, (risk,), condition("QuorumHealthy", "SentinelStale", ALWAYS)),
        Case("the sentinels cannot be read", 6, (risk,), condition("QuorumHealthy", "SentinelsUnreadable", UNKNOWN)),
    )


def _replication() -> tuple[Case, ...]:
    none, some = Alert("RedisSentinelReplicationBroken", "critical"), Alert("RedisSentinelReplicationBroken", "warning")
    broken = condition("ReplicationHealthy", "ReplicationBroken", NEVER)
    missing = condition("ReplicationHealthy", "ReplicaMissing", NEVER)
    return (
        Case("no replica follows, right after a switch", 1, (), broken),
        Case("no replica follows", 3, (none,), broken),
        Case("one replica is missing for ten minutes", 10, (), missing),
        Case("one replica is missing for long", 16, (some,), missing),
        Case("replication cannot be judged", 60, (), condition("ReplicationHealthy", "NoMaster", UNKNOWN)),
    )


def _drift() -> tuple[Case, ...]:
    drift, waits = Alert("RedisSentinelDriftNotRepaired", "warning"), Alert("RedisSentinelWaitingForYou", "warning")
    unreachable = Alert("RedisSentinelHostUnreachable", "warning", "s3")
    differs = condition("ConfigInSync", "ConfigDrift", NEVER)
    away = {'rso_host_reachable{host="s3"}': f"1 1 1 0x{MINUTES}"}
    stalled = {'rso_condition{type="Stalled",reason="PortTaken"}': ALWAYS}
    return (
        Case("drift that is being repaired", 10, (), differs),
        Case("drift that stays", 16, (drift,), differs),
        Case("a cluster that stays degraded", 16, (drift,), in_phase("Degraded")),
        Case("a generation that stays under way", 16, (drift,), in_phase("Updating")),
        Case("degraded because a host is away", 17, (unreachable,), {**in_phase("Degraded"), **away}),
        Case("drift that is only looked at", 60, (), in_phase("Observing", differs)),
        Case("drift while paused", 60, (), in_phase("Paused", differs)),
        Case("a restart that waits for ten minutes", 10, (), in_phase("WaitingForYou")),
        Case("a restart that waits", 31, (waits,), in_phase("WaitingForYou")),
        Case("a spec that is refused", 31, (waits,), in_phase("Blocked")),
        Case("one host that waits for a person", 31, (drift, waits), {**in_phase("Degraded"), **stalled}),
    )


def _hosts() -> tuple[Case, ...]:
    away = {**HEALTHY, 'rso_host_reachable{host="s2"}': NEVER}
    return (
        Case("a machine that boots", 4, (), away),
        Case("a host is away", 6, (Alert("RedisSentinelHostUnreachable", "warning", "s2"),), away),
    )


def _others() -> tuple[Case, ...]:
    storm, secret = (
        Alert("RedisSentinelFailoverStorm", "warning"),
        Alert("RedisSentinelCredentialsOutOfSync", "warning"),
    )
    silent = Alert("RedisSentinelOperatorSilent", "warning")
    of_process = Alert("RedisSentinelOperatorSilent", "critical", of_process=True)
    failed = 'rso_failovers_total{result="Succeeded",cause="Failure"}'
    asked = 'rso_failovers_total{result="Succeeded",cause="Ours"}'
    lease = next(iter(PROCESS))
    stands = {**HEALTHY, "rso_last_pass_timestamp_seconds{}": f"0+60x10 600x{MINUTES}"}
    return (
        Case("two failovers", 40, (), {**HEALTHY, failed: f"0x10 1x10 2x{MINUTES}"}),
        Case("three failovers", 40, (storm,), {**HEALTHY, failed: f"0x10 1x10 2x5 3x{MINUTES}"}),
        Case("three failovers, over an hour ago", 89, (), {**HEALTHY, failed: f"0 1 2 3x{MINUTES}"}),
        Case("three switchovers", 40, (), {**HEALTHY, asked: f"0x10 1x10 2x5 3x{MINUTES}"}),
        Case("a password that is being changed", 10, (), condition("CredentialsInSync", "PasswordChanging", NEVER)),
        Case("a Secret that is missing", 16, (secret,), condition("CredentialsInSync", "SecretMissing", NEVER)),
        Case("an operator that starts anew", 4, (), process={lease: GONE}),
        Case("no operator", 6, (of_process,), process={lease: GONE}),
        Case("one that waits for the Lease", 6, (of_process,), process={**PROCESS, lease: NEVER}),
        Case("a pass that takes a quarter of an hour", 25, (), stands),
        Case("a cluster that nobody looks at any more", 30, (silent,), stands),
    )
