"""The sections of the probe's answer: rows of a word and the rest of the line -> facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis_sentinel_operator.conf import kernel
from redis_sentinel_operator.model.fact import DataFile, Disk, FileFacts, MachineFacts, OsFacts, Process, UnitFacts
from redis_sentinel_operator.observe.memory import Damaged, Recall, Rows

_USERS = re.compile(
    r'\("([^"]*)",(?:pid=)?(\d+)'
)  # ss: ("redis-server",pid=71,fd=4); before 2015 ("redis-server",71,4)
_PORTS = 65535
# Where a daemon lands that a person started: the unit is the shell's, not the daemon's own.
_SHELLS = frozenset({"ssh.service", "sshd.service", "cron.service", "crond.service", "atd.service", "getty.service"})


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening TCP socket; process "" and pid 0 where the host does not tell whose it is."""

    port: int
    process: str
    pid: int


def os_of(rows: Rows) -> OsFacts:
    """Read /etc/os-release and the boot id."""
    words = dict(rows)
    if "id" not in words or "version" not in words:
        raise Damaged("/etc/os-release names no ID or VERSION_ID")
    return OsFacts(_unquoted(words["id"]), _unquoted(words["version"]), words.get("boot", ""))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def packages_of(rows: Rows) -> Mapping[str, str]:
    """Read `name version-release` lines."""
    found = [rest for word, rest in _only(rows, "package", "left") if word == "package"]
    return dict(_fields(rest, 2) for rest in found)  # type: ignore[misc]


def leftovers_of(rows: Rows) -> tuple[str, ...]:
    """Read the paths that an update or a removal of a package left behind."""
    return tuple(rest for word, rest in _only(rows, "package", "left") if word == "left")


def files_of(rows: Rows, asked: Sequence[str], recall: Recall) -> Mapping[str, FileFacts | None]:
    """Read files; every path that was asked for must have been answered."""
    found = dict(_file(word, rest, recall) for word, rest in _only(rows, "file", "absent"))
    missing = set(asked) - set(found)
    if missing:
        raise Damaged(f"nothing is said of {', '.join(sorted(missing))}")
    return {path: found[path] for path in asked}


def one_file(rows: Rows, recall: Recall) -> FileFacts | None:
    """Read the one file of a section."""
    found = [_file(word, rest, recall)[1] for word, rest in _only(rows, "file", "absent")]
    if len(found) != 1:
        raise Damaged("not one file")
    return found[0]


def _file(word: str, rest: str, recall: Recall) -> tuple[str, FileFacts | None]:
    if word == "absent":
        return rest, None
    mode, owner, group, content, path = _fields(rest, 5)
    return path, FileFacts(path, int(mode, 8), owner, group, recall.text(content, path))


def units_of(rows: Rows, asked: Sequence[str]) -> Mapping[str, UnitFacts]:
    """Read `systemctl show` of units: one block each, in the order asked (the Id of an alias is another name).

    After those that were asked for come the two firewalls, which the probe needs for itself. Systemd was not asked for
    those that it cannot have.
    """
    without = {rest for word, rest in rows if word == "without"}
    names = [name for name in asked if name not in without]
    blocks: list[dict[str, str]] = [{}]
    for word, rest in _only(rows, "unit", "without"):
        if word == "without":
            continue
        key, equals, value = rest.partition("=")
        if equals:
            blocks[-1][key] = value
        elif blocks[-1]:
            blocks.append({})
    blocks = [block for block in blocks if block]
    answered = len(blocks) + len(without)
    if answered != len(asked) + 2:
        raise Damaged(f"{len(asked) + 2} units were asked for, {answered} answered")
    found = {name: _unit(name, block) for name, block in zip(names, blocks, strict=False)}
    return {name: found.get(name, UnitFacts(name, "not-found", "inactive", "")) for name in asked}


def _unit(name: str, block: Mapping[str, str]) -> UnitFacts:
    if "LoadState" not in block or "ActiveState" not in block:
        raise Damaged(f"no state of {name}")
    return UnitFacts(
        name, block["LoadState"], block["ActiveState"], block.get("UnitFileState", ""), int(block.get("MainPID") or 0)
    )


def processes_of(rows: Rows) -> tuple[Process, ...]:
    """Read processes; a child of one of them (a background save) is part of it."""
    found: dict[int, tuple[int, bool, str]] = {}
    units: dict[int, str] = {}
    limits: dict[str, dict[int, str]] = {"limit": {}, "umask": {}, "age": {}}
    replaced: set[int] = set()
    for word, rest in _only(rows, "process", "cgroup", "replaced", *limits):
        if word == "replaced":
            replaced.add(int(rest))
        elif word == "cgroup":
            pid, path = _fields(rest, 2)
            units[int(pid)] = _unit_of(path) or units.get(int(pid), "")
        elif word in limits:
            pid, value = _fields(rest, 2)
            limits[word][int(pid)] = value
        else:
            pid, parent, sentinel, name = _fields(rest, 4)
            found[int(pid)] = (int(parent), sentinel == "1", name)
    files = {pid: int(value) for pid, value in limits["limit"].items() if value.isdecimal()}
    masks = {pid: int(value, 8) for pid, value in limits["umask"].items()}
    ages = {pid: int(value) / 100 for pid, value in limits["age"].items()}
    return tuple(
        Process(pid, name, units.get(pid, ""), sentinel, files.get(pid), masks.get(pid), ages.get(pid), pid in replaced)
        for pid, (parent, sentinel, name) in sorted(found.items())
        if parent not in found
    )


def _unit_of(path: str) -> str:
    """Return the service that a cgroup path belongs to, "" for a session of a person."""
    services = [part for part in path.split("/") if part.endswith(".service")]
    if not services or services[-1] in _SHELLS or services[-1].partition("@")[0] in ("user", "getty", "sshd"):
        return ""
    return services[-1]


def sockets_of(rows: Rows) -> tuple[Socket, ...]:
    """Read `ss -ltnp`, or bare ports of /proc/net/tcp."""
    found: list[Socket] = []
    for word, rest in _only(rows, "socket", "port"):
        if word == "port":
            found.append(Socket(int(rest), "", 0))
        elif rest.startswith("LISTEN"):
            found += _sockets(rest)
    return tuple(found)


def _sockets(row: str) -> list[Socket]:
    """Read `LISTEN 0 511 0.0.0.0:6379 0.0.0.0:* users:(("redis-server",pid=71,fd=4))`."""
    words = row.split()
    port = words[3].rpartition(":")[2] if len(words) > 3 else ""
    if not port.isdecimal():
        raise Damaged(f"a socket has no port number: {row[:60]!r}")
    users = [Socket(int(port), name, int(pid)) for name, pid in _USERS.findall(row)]
    return users or [Socket(int(port), "", 0)]


def data_of(rows: Rows) -> tuple[DataFile, ...]:
    """Read `size path` and `age path` lines; the places where the probe looked stand there for its own next time."""
    found: dict[str, dict[str, int]] = {"data": {}, "age": {}}
    for word, rest in _only(rows, "data", "age", "place"):
        if word in found:
            number, path = _fields(rest, 2)
            found[word][path] = int(number)
    return tuple(DataFile(path, size, found["age"].get(path)) for path, size in sorted(found["data"].items()))


def machine_of(rows: Rows) -> MachineFacts:
    """Read what the kernel has."""
    found: dict[str, list[str]] = {}
    for word, rest in _only(
        rows, "sysctl", "hugepages", "memory", "refused", "selinux", "semanage", "redisport", "label", "disk", "held"
    ):
        found.setdefault(word, []).append(rest)
    numbers = found.get("sysctl", [])
    if len(numbers) != 2 or not all(each.isdecimal() for each in numbers):
        raise Damaged("not two settings of the kernel")
    pages = "".join(found.get("hugepages", []))  # nothing where the kernel has none
    memory = {name: int(kilobytes) for name, kilobytes in (_fields(each, 2) for each in found.get("memory", []))}
    labels = [_fields(each, 2) for each in found.get("label", [])]
    return MachineFacts(
        settings={kernel.OVERCOMMIT: numbers[0], kernel.SOMAXCONN: numbers[1]}
        | ({kernel.HUGE_PAGES: _chosen(pages)} if pages else {}),
        memory=memory.get("MemTotal", 0) * 1024,
        available=memory.get("MemAvailable", 0) * 1024,
        refused=frozenset(found.get("refused", [])),
        selinux={"1": "enforcing", "0": "permissive"}.get("".join(found.get("selinux", [])), ""),
        semanage="semanage" in found,
        redis_ports=ports_of(found.get("redisport", [])),
        labels={path: _type_of(context) for context, path in labels},
        disks=tuple(_disk(each) for each in sorted(set(found.get("disk", [])))),
        held=frozenset(found.get("held", [])),
    )


def ports_of(words: Iterable[str]) -> frozenset[int]:
    """Read ports as SELinux' tools write them: `6379`, or a range `7000-7005`. Raises ValueError for anything else."""
    found: set[int] = set()
    for word in words:
        first, _, last = word.strip().partition("-")
        if int(last or first) > _PORTS:
            raise ValueError(f"no ports: {word[:40]!r}")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _disk(row: str) -> Disk:
    """Read `blocks-free blocks bytes-a-block path`."""
    free, blocks, size, path = _fields(row, 4)
    return Disk(path, int(free) * int(size), int(blocks) * int(size))


def _chosen(words: str) -> str:
    """Return what stands in brackets: `always [madvise] never`."""
    chosen = re.search(r"\[(\w+)\]", words)
    if chosen is None:
        raise Damaged(f"nothing is chosen in {words[:40]!r}")
    return chosen[1]


def _type_of(context: str) -> str:
    """Return the type of a label: `system_u:object_r:etc_t:s0`."""
    words = context.split(":")
    if len(words) < 3:
        raise Damaged(f"no label: {context[:40]!r}")
    return words[2]


def _only(rows: Rows, *words: str) -> Rows:
    for word, _ in rows:
        if word not in words:
            raise Damaged(f"an unknown row {word[:40]!r}")
    return rows


def _fields(rest: str, number: int) -> tuple[str, ...]:
    fields = tuple(rest.split(" ", number - 1))
    if len(fields) != number:
        raise Damaged(f"a row of {len(fields)} instead of {number} words")
    return fields
