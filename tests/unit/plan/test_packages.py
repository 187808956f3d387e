"""What is planned for the package: installed as declared where it is missing, kept from updates where it is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import EL7, EL8, EL10
from redis_sentinel_operator.model.desired import Desired, PackageWish
from redis_sentinel_operator.model.fact import FileFacts, HostFacts, Known, OsFacts
from redis_sentinel_operator.model.package import InstallPackage, LockPackage
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive
from unit.plan.test_bootstrap import SETTING_UP
from unit.plan.world import CONTEXT, DONE, S1, M, bare, claimed, cluster, desired

CENTOS_7 = OsFacts("centos", "7")
YUM = "[main]\nkeepcache=0\n"


def wishing(**wish: object) -> Desired:
    """The seed with the same package wish for every host."""
    wanted = replace(PackageWish(), **wish)  # type: ignore[arg-type]
    whole = desired()
    return replace(whole, hosts=tuple(replace(host, package=wanted) for host in whole.hosts))


def new(whole: Desired, os: OsFacts = CENTOS_7) -> Plan:
    """The plan for claimed hosts without the package."""
    return plan(whole, cluster(lambda name: replace(claimed(bare(name)), os=Known(os))), SETTING_UP, CONTEXT)


def with_yum(text: str) -> HostFacts:
    """The running host S1 with its yum.conf."""
    host = alive(S1)
    assert isinstance(host.files, Known)
    file = FileFacts(EL7.yum_conf, 0o644, "root", "root", text)
    return replace(host, files=Known({**host.files.value, EL7.yum_conf: file}))


def running(whole: Desired, text: str) -> Plan:
    """The plan for the living cluster in which S1 has a yum.conf."""
    return plan(whole, cluster(alive, S1=lambda _: with_yum(text)), ALIVE, DONE)


def test_module_and_repositories_go_with_the_package() -> None:
    todo = new(wishing(version="6.2.7", module="redis:6", repositories=("appstream",)), OsFacts("rocky", "8.10"))
    assert {step.action for step in todo.steps} == {InstallPackage("redis", "6.2.7", "redis:6", ("appstream",))}


def test_each_family_has_its_own_package_unless_another_is_named() -> None:
    assert {step.action for step in new(desired(), OsFacts("rhel", "10.1")).steps} == {InstallPackage("valkey", None)}
    assert {step.action for step in new(wishing(name="redis6")).steps} == {InstallPackage("redis6", None)}


@pytest.mark.parametrize(("os", "name"), [(CENTOS_7, "EL7"), (OsFacts("rhel", "10.0"), "EL10")])
def test_a_module_where_there_are_none_is_told(os: OsFacts, name: str) -> None:
    todo = new(wishing(module="redis:6"), os)
    assert todo.steps == ()
    assert todo.waiting[0] == (
        f"spec.package.module: redis:6 is declared, but {name} has no module streams; give {M} a package of its own "
        "without it"
    )
    assert EL8.modules and not EL10.modules


def test_check_only_installs_and_locks_nothing() -> None:
    todo = new(wishing(manage="CheckOnly"))
    assert todo.steps == ()
    assert todo.waiting[0] == f"{M} has no package redis and package.manage is CheckOnly: install it there"
    assert running(wishing(manage="CheckOnly"), YUM).settled


def test_an_installed_package_is_excluded_from_updates() -> None:
    (step,) = running(desired(), YUM).steps
    assert (step.host, step.what, step.why) == (
        S1,
        "exclude redis from updates in /etc/yum.conf",
        "an update restarts redis",
    )
    assert step.action == LockPackage(
        "/etc/yum.conf", Secret("[main]\nexclude=redis\nkeepcache=0\n"), sha256(YUM), "root", "root", 0o644
    )
    assert running(desired(), "[main]\nexclude=redis\nkeepcache=0\n").settled
    assert running(desired(), "[main]\nexclude=redis*\n").settled


def test_a_lock_that_is_not_wanted_is_taken_off() -> None:
    whole = wishing(lock=False)
    assert running(whole, YUM).settled
    (step,) = running(whole, "[main]\nexclude=kernel redis\n").steps
    assert step.what == "let redis be updated in /etc/yum.conf"
    assert isinstance(step.action, LockPackage)
    assert step.action.text.reveal() == "[main]\nexclude=kernel\n"
