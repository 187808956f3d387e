"""Before Redis 4 every replica gets all data anew after a switch: whether machines and settings bear that.

The new master forks and writes a dump, each replica takes one in; meanwhile what is written waits in an output buffer,
and a replica whose buffer is full begins again, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.plan.host import Host

_PARTIAL = "4.0"  # PSYNC2: a replica of the old master goes on where it was
_SPEED = 50 * 2**20  # bytes of data a second through dump, network and loading; 80 were measured


def cannot_resync(master: Host, successor: Host, hosts: Sequence[Host], rate: float) -> str | None:
    """Return a sentence why a full resynchronisation of all would not succeed, None when it would or is not needed.

    Args:
        master: the present one.
        successor: the one to be.
        hosts: all that run redis.
        rate: bytes a second that the master writes to its replicas.
    """
    if master.redis is None or successor.redis is None or at_least(master.redis.version, _PARTIAL):
        return None
    data = max(master.redis.used_memory, successor.redis.used_memory)
    reasons = [*_memory(successor, data), *_disks(hosts, data), *_buffer(successor, data, rate)]
    if not reasons:
        return None
    return f"Redis before 4.0 sends all data anew to every replica after a switch, and {reasons[0]}"


def _memory(successor: Host, data: int) -> Iterator[str]:
    machine = successor.facts.machine
    free = machine.value.available if isinstance(machine, Known) else 0
    if free and free < data:
        yield (
            f"{successor.name} has {_size(free)} of memory left for a copy of {_size(data)}: free memory there, or "
            "name another host"
        )


def _disks(hosts: Sequence[Host], data: int) -> Iterator[str]:
    for host in hosts:
        survey = host.facts.survey
        free = survey.value.free if isinstance(survey, Known) else None
        if free is not None and free < data:
            yield f"{host.name} has {_size(free)} of disk left for a dump of {_size(data)}: make room there"


def _buffer(successor: Host, data: int, rate: float) -> Iterator[str]:
    hard, soft, period = _limits(successor)
    lasts = data / _SPEED
    waits = rate * lasts
    if (hard and waits > hard) or (soft and waits > soft and lasts > period):
        yield (
            f"at {_size(round(rate))} a second {_size(round(waits))} would wait for each, more than "
            f"client-output-buffer-limit of {successor.name} allows its replicas: raise it in spec.redis.config, or "
            "ask at a quieter time"
        )


def _limits(host: Host) -> tuple[int, int, int]:
    """Return the limits of replicas: hard and soft in bytes, and for how many seconds the soft one may be passed."""
    words = (host.redis.config.get("client-output-buffer-limit", "") if host.redis else "").split()
    for at, word in enumerate(words):
        if word in ("slave", "replica") and all(each.isdecimal() for each in words[at + 1 : at + 4]):
            hard, soft, period = (int(each) for each in words[at + 1 : at + 4])
            return hard, soft, period
    return 0, 0, 0


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
