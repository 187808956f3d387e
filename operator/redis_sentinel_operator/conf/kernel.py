"""What the kernel must be told for redis: its own settings, by our file for each boot and right now.

A dump or a rewrite forks: with overcommit_memory 0 the kernel may refuse that on a machine whose memory is half used.
Connections beyond somaxconn wait in no queue. With huge pages each write during a dump copies 2 MiB; a redis from 6.2
on turns them off for itself.
"""

from __future__ import annotations

OVERCOMMIT = "/proc/sys/vm/overcommit_memory"
SOMAXCONN = "/proc/sys/net/core/somaxconn"
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
# Sorts after 99-sysctl.conf, which is /etc/sysctl.conf.
SYSCTL_FILE = "/etc/sysctl.d/zz-redis-sentinel-operator.conf"
HUGE_PAGES_UNIT = "redis-sentinel-operator-hugepages.service"
HUGE_PAGES_FILE = f"/etc/systemd/system/{HUGE_PAGES_UNIT}"
FILES = (SYSCTL_FILE, HUGE_PAGES_FILE)
LEAST_BACKLOG = 511  # tcp-backlog where nobody sets it

# Begun with redis, by the drop-in of its unit; tuned sets huge pages as well when it starts.
HUGE_PAGES_TEXT = f"""\
# Written by redis-sentinel-operator; changes are undone.
[Unit]
Description=No transparent huge pages for redis
After=tuned.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo never >{HUGE_PAGES}'
"""


def sysctl_text(somaxconn: int | None) -> str:
    """Return our file of /etc/sysctl.d; without somaxconn where the kernel's own is enough."""
    lines = ["# Written by redis-sentinel-operator; changes are undone.", "vm.overcommit_memory = 1"]
    lines += [] if somaxconn is None else [f"net.core.somaxconn = {somaxconn}"]
    return "\n".join(lines) + "\n"


def shown(path: str) -> str:
    """Return a setting as people call it."""
    return {HUGE_PAGES: "transparent huge pages"}.get(path, path.removeprefix("/proc/sys/").replace("/", "."))


def somaxconn_of(text: str) -> int | None:
    """Return what a file of /etc/sysctl.d makes of somaxconn, None for nothing."""
    values = [line.partition("=")[2].strip() for line in text.splitlines() if line.startswith("net.core.somaxconn")]
    return int(values[-1]) if values and values[-1].isdecimal() else None
