"""A failover that somebody undid: redis.conf names another master than the sentinels do, and redis was restarted."""

from __future__ import annotations

from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.judge.telling import listed
from redis_sentinel_operator.judge.trace import role_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Mastership, Uncertain


def named_host(desired: Desired, master: Mastership) -> str:
    """Return the host of which it is doubted that it is master, "" where it is about none."""
    found = desired.host_at(master.address) if isinstance(master, Uncertain) else None
    return found.name if found else ""


def undone(desired: Desired, facts: ClusterFacts, master: Mastership) -> str:
    """Return how the master that the sentinels name became a replica: by which files; "" where no file says so.

    Sentinels write a role when they switch, and name the new master by then: what no sentinel names they did not write.
    """
    named = named_host(desired, master)
    if not named or not isinstance(master, Uncertain) or master.reason != "RoleDisagrees":
        return ""
    redis = facts.hosts[named].redis if named in facts.hosts else None
    value = redis.value if isinstance(redis, Known) else None
    followed = value.master_address if isinstance(value, RedisFacts) else ""
    sentinels: Sentinels = {name: host.sentinel for name, host in facts.hosts.items()}
    votes = views(desired, sentinels).values()
    if not followed or any(followed in (view.address, view.told_address) for view in votes):
        return ""
    line = f"slaveof {followed} {value.master_port}" if isinstance(value, RedisFacts) else ""
    having = [
        host.name for host in desired.hosts if host.name in facts.hosts and role_of(facts.hosts[host.name]) == line
    ]
    if named not in having:
        return ""
    other = desired.host_at(followed)
    whom = f"{other.name} ({followed})" if other else followed
    return f"{named} came up as a replica of {whom}, as `{line}` in redis.conf of {listed(having)} says"
