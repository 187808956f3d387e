"""The trees that hosts boot from: a Debian base with systemd, sshd, dnf, rpm and firewalld, and an EL layer on it.

No genuine CentOS tree can be had from the package registries, so a host is Debian userland with EL's paths, packages,
os-release and release package. `LAB_ROOTFS=el7=/path` boots a genuine tree from `/path` instead: a directory with
systemd, sshd, yum, firewalld and the redis package reachable through its own repositories.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.cache import artefact
from lab.console import Console, default_console
from lab.families import Family
from lab.machine import LabError, run
from lab.packages import release_package

SUITE = "bookworm"
FIRST = "systemd,systemd-sysv,dbus,openssh-server,iproute2,procps,ca-certificates,less"
# firewalld in debootstrap's own list fails (the order of polkitd and logind), so these come second
SECOND = "systemd-sysv libpam-systemd policykit-1 firewalld iptables nftables rpm dnf libjemalloc2 sudo cron logrotate"


def root_trees(family: Family, console: Console | None = None) -> tuple[Path, ...]:
    """The lower directories of a host of `family`, uppermost first; built and cached. Raises LabError."""
    genuine = _genuine(os.environ.get("LAB_ROOTFS", ""), family.name)
    if genuine:
        return (genuine,)
    console = console or default_console()
    base = artefact(f"base-{SUITE}-{_digest(SUITE + FIRST + SECOND)}", lambda path: _bootstrap(path, console), console)
    layer = artefact(
        f"layer-{family.name}-{_digest(Path(__file__).read_text(), release_package(family, console).parent.name)}",
        lambda path: _layer(path, base, family, console),
        console,
    )
    return (layer, base)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _genuine(setting: str, family: str) -> Path | None:
    """The tree that LAB_ROOTFS names for `family`: `el7=/path`, several separated by commas."""
    for item in filter(None, setting.split(",")):
        name, _, path = item.partition("=")
        if name == family:
            if not Path(path, "usr").is_dir():
                raise LabError(f"LAB_ROOTFS: {path!r} is not a root tree")
            return Path(path)
    return None


def debian_mirror() -> str:
    """The Debian archive that this machine's apt takes its packages from."""
    targets = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(CREATED_BY)"])
    for line in targets.splitlines():
        uri, codename, kind = line.rsplit(" ", 2)
        if (codename, kind) == (SUITE, "Packages"):
            return uri
    raise LabError(f"apt on this machine has no source for {SUITE}")


def _bootstrap(path: Path, console: Console) -> None:
    with console.step("the base system", "debootstrap"):
        run(["debootstrap", "--variant=minbase", f"--include={FIRST}", SUITE, path, debian_mirror()])
    with console.step("firewalld, rpm and dnf for the base system", "apt-get in the new tree"), mounted_proc(path):
        _borrow_apt(path)
        guard = path / "usr/sbin/policy-rc.d"  # 101: no service may start in the chroot
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
        apt = f"apt-get install -y -qq --no-install-recommends {SECOND}"
        chroot(path, f"apt-get update -qq && DEBIAN_FRONTEND=noninteractive {apt}")
        chroot(path, "apt-get clean && rm -rf /var/lib/apt/lists/* /etc/apt/sources.list* /etc/apt/apt.conf.d/99*")
        guard.unlink()
    (path / "etc/resolv.conf").write_text("")
    path.chmod(0o755)


def _borrow_apt(path: Path) -> None:
    """Let the new tree use this machine's package sources for a while."""
    (path / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in ("sources.list.d", "apt.conf.d", "trusted.gpg.d", "auth.conf.d"):
        if Path("/etc/apt", name).is_dir():
            shutil.copytree(Path("/etc/apt", name), path / "etc/apt" / name, dirs_exist_ok=True)
    shutil.copy("/etc/resolv.conf", path / "etc/resolv.conf")


def _layer(path: Path, base: Path, family: Family, console: Console) -> None:
    """What makes the base an EL host, as an overlay's upper directory."""
    upper = path
    with ExitStack() as stack:
        root = stack.enter_context(_overlay(upper, base))
        stack.enter_context(mounted_proc(root))
        package = release_package(family, console)
        (root / "etc/rpm").mkdir(exist_ok=True)
        (root / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")  # Debian's rpm keeps it in the home directory
        shutil.copy(package, root / "tmp/release.rpm")
        chroot(root, "rpm -i --nodeps /tmp/release.rpm && rm /tmp/release.rpm && ln -sf dnf /usr/bin/yum")
        chroot(root, "ln -sf bash /bin/sh")  # as on EL: scriptlets of its packages rely on it
        (root / "etc/os-release").unlink()
        (root / "etc/os-release").write_text(family.os_release)
        (root / "etc/yum.repos.d").mkdir(exist_ok=True)
        (root / f"etc/yum.repos.d/{family.repo_id}.repo").write_text(
            f"[{family.repo_id}]\nname={family.repo_name}\nbaseurl=file:///repo\n"
            "enabled=1\ngpgcheck=0\nmetadata_expire=0\n"
        )
        _yum_conf(root / "etc", family)
        chroot(root, "useradd -m -s /bin/bash admin && echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin")
        chroot(
            root,
            "chmod 0440 /etc/sudoers.d/admin; rm -f /etc/ssh/ssh_host_*; "
            "systemctl enable ssh firewalld cron systemd-networkd",
        )
        chroot(root, "ln -sf /lib/systemd/system/cron.service /etc/systemd/system/crond.service")
        # console-getty is of a type that starts some seconds after the boot is over, into the middle of a test
        chroot(
            root,
            "systemctl mask systemd-networkd-wait-online.service systemd-resolved.service apt-daily.timer "
            "apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer console-getty.service",
        )


def _yum_conf(etc: Path, family: Family) -> None:
    """EL's own yum.conf, or dnf.conf with yum.conf as a link to it; dnf, which is yum here, reads either."""
    own, link, target = etc / "dnf/dnf.conf", etc / "yum.conf", "dnf/dnf.conf"
    text = "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\n"
    if family.major == 7:
        own, link, target = link, own, "../yum.conf"
        text = "[main]\nkeepcache=0\ndebuglevel=2\nlogfile=/var/log/yum.log\nexactarch=1\nobsoletes=1\ngpgcheck=1\n"
    for path in (own, link):
        path.unlink(missing_ok=True)
    own.write_text(text)
    link.symlink_to(target)


@contextmanager
def _overlay(upper: Path, base: Path) -> Iterator[Path]:
    """`base` with its changes going to `upper`; the work and mount directories lie beside it and go away."""
    work, root = upper.with_name(f"{upper.name}-work"), upper.with_name(f"{upper.name}-root")
    for directory in (work, root):
        directory.mkdir(exist_ok=True)
    options = f"lowerdir={base},upperdir={upper},workdir={work}"
    run(["mount", "-t", "overlay", "overlay", "-o", options, root])
    try:
        yield root
    finally:
        run(["umount", root])
        root.rmdir()
        shutil.rmtree(work)


@contextmanager
def mounted_proc(root: Path) -> Iterator[None]:
    """/proc in a tree, as long as something runs in it."""
    run(["mount", "-t", "proc", "proc", root / "proc"])
    try:
        yield
    finally:
        run(["umount", root / "proc"])


def chroot(root: Path, script: str) -> str:
    """Run a shell script in a tree."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    return run(["chroot", str(root), "/bin/sh", "-ec", script], env=env | _proxies())


def _proxies() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
