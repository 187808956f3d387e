"""The package: installed where it is missing, never changed where it is there, and kept from updates by the way."""

from __future__ import annotations

from redis_sentinel_operator.conf import yum_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.model.package import InstallPackage, LockPackage
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait


def installed(host: Host) -> bool:
    """Whether the package is there, in whatever version."""
    return host.package in host.packages


def package(host: Host) -> Part:
    """Return the step that installs the package, or why it is not done; empty where it is there."""
    name, wish = host.package, host.want.package
    if installed(host):
        return Part()
    if host.processes:
        running = host.processes[0]
        return wait(
            f"{host.name} runs {running.name} (process {running.pid}), which is not from the package {name}: "
            "nothing is installed beside it"
        )
    if wish.manage == "CheckOnly":
        return wait(f"{host.name} has no package {name} and package.manage is CheckOnly: install it there")
    if wish.module and not host.family.modules:
        return wait(
            f"spec.package.module: {wish.module} is declared, but {host.family.name} has no module streams; give "
            f"{host.name} a package of its own without it"
        )
    version = host.declared_version or None
    shown = name if version is None else f"{name}-{version}"
    action = InstallPackage(name, version, wish.module, wish.repositories)
    return only(Step(host.name, f"install {shown}", f"{name} is not installed", action, Stage.PACKAGE))


def lock(host: Host) -> Part:
    """Return the step that keeps yum from updating the package with all others, or lets it again.

    An update restarts redis: of a master that is an outage. Installing by name with --disableexcludes=main goes on.
    """
    name, wish, file = host.package, host.want.package, host.files.get(host.family.yum_conf)
    if file is None or not installed(host) or wish.manage == "CheckOnly":
        return Part()
    text = yum_conf.exclude(file.text, name) if wish.lock else yum_conf.include(file.text, name)
    if text == file.text:
        return Part()
    action = LockPackage(file.path, Secret(text), sha256(file.text), file.owner, file.group, file.mode)
    what = f"exclude {name} from updates" if wish.lock else f"let {name} be updated"
    why = "an update restarts redis" if wish.lock else "spec.package.lock is false"
    return only(Step(host.name, f"{what} in {file.path}", why, action, Stage.PACKAGE))
