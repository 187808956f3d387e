"""deletionPolicy Uninstall on each EL family, where others use the package: a package, a server, another master."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.rig import NAME, Rig
from e2e.test_deletion import STATE, delete, policy, write
from e2e.test_families import cluster_of, row
from lab.hosts import Host
from lab.machine import run
from redis_sentinel_operator.conf import kernel

NEEDS = "lab-app"


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", ["el7", "el8", "el9", "el10"])
def test_uninstall_leaves_a_package_that_others_use_and_removes_it_elsewhere(family: str, tmp_path: Path) -> None:
    with cluster_of(family) as rig:
        own, second, watching = rig.lab.replicas
        kind = row(own)
        _install_what_needs(kind.package, own, tmp_path)
        second.run(f"{kind.package}-server --port 7001 --daemonize yes --dir /tmp --save ''")
        with rig.sentinel(watching.name) as client:
            client.sentinel_monitor("theirs", "192.0.2.1", 6379, 1)
        write(rig, "before")
        policy(rig, "Uninstall", NAME)
        rig.wait_healthy()
        _, reason, told = delete(rig, 125)
        assert reason == "LeftBehind", told
        assert f"{own.name}: remove the package {kind.package} and the data" in told
        assert f"the package {kind.package} is used by others: " in told
        assert f"is needed by (installed) {NEEDS}-1-1.noarch" in told
        assert f"{second.name}: ours is stopped there, but nothing is removed: {kind.package}-server runs there" in told
        assert f"{watching.name}: its sentinel watches theirs and runs on, as redis there does" in told
        _is_stopped_with_all_it_has(own)
        assert second.run(f"rpm -q {kind.package}").returncode == 0
        assert runs_of(second).count("\n") == 0, "the other one alone"
        assert runs_of(watching).count("\n") == 1, "redis and sentinel"
        _is_bare(rig, rig.lab.master01)


def _install_what_needs(package: str, host: Host, work: Path) -> None:
    """A package of somebody's own that requires the server's."""
    (work / "app.spec").write_text(
        f"Name: {NEEDS}\nVersion: 1\nRelease: 1\nSummary: app\nLicense: MIT\nBuildArch: noarch\nRequires: {package}\n"
        "%description\nIt needs a server beside it.\n%files\n"
    )
    run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {work}", work / "app.spec"])
    (host.root / "root/app.rpm").write_bytes(next(work.glob("RPMS/*/*.rpm")).read_bytes())
    host.run("rpm -i /root/app.rpm")


def runs_of(host: Host) -> str:
    return host.run("pgrep -f '(redis|valkey)-(server|sentinel)'", check=False).stdout.strip()


def _is_stopped_with_all_it_has(host: Host) -> None:
    kind = row(host)
    assert host.run(f"rpm -q {kind.package} {NEEDS}").returncode == 0
    assert host.run(f"test -s {kind.data_dir}/dump.rdb", check=False).returncode == 0
    states = host.run(
        f"systemctl is-active {' '.join(kind.units)}; systemctl is-enabled {' '.join(kind.units)}", check=False
    )
    assert states.stdout.split() == ["inactive", "inactive", "disabled", "disabled"]
    assert not runs_of(host)


def _is_bare(rig: Rig, host: Host) -> None:
    """Nothing of ours is left, nor the data; of the configuration what rpm saves, without the password."""
    kind = row(host)
    assert host.run(f"rpm -q {kind.package}", check=False).returncode == 1
    assert not runs_of(host)
    ours = (STATE, kind.redis_drop_in, kind.sentinel_drop_in, *kernel.FILES, f"{kind.data_dir}/dump.rdb")
    assert host.run(f"ls -d {' '.join(ours)} 2>/dev/null", check=False).stdout == ""
    assert "6379" not in host.run("firewall-cmd --list-ports; firewall-cmd --permanent --list-ports").stdout
    assert host.run(f"grep -cE '^(exclude|excludepkgs)' {kind.yum_conf}", check=False).stdout.strip() == "0"
    saved = host.run(f"cat {kind.redis_conf}.rpmsave {kind.sentinel_conf}.rpmsave 2>/dev/null", check=False).stdout
    assert "repl-timeout" in saved
    assert rig.password not in saved
