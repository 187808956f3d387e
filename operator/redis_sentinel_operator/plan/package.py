"""The package: installed where it is missing, never changed where it is there."""

from __future__ import annotations

from redis_sentinel_operator.model.step import InstallPackage, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait


def package_name(host: Host) -> str:
    """Return the package the host shall have."""
    return host.want.package.name or host.family.package


def installed(host: Host) -> bool:
    """Whether the package is there, in whatever version."""
    return package_name(host) in host.packages


def other_version(host: Host) -> str | None:
    """Return a sentence when the installed version is another than the declared one, else None."""
    name, declared = package_name(host), host.want.package.version
    have = host.packages.get(name)
    if declared is None or have is None:
        return None
    wanted = declared.removeprefix(f"{name}-")
    if have == wanted or have.startswith(f"{wanted}-"):
        return None
    return f"{host.name} has {name} {have}, declared is {wanted}; changing an installed package comes later."


def package(host: Host) -> Part:
    """Return the step that installs the package, or why it is not done; empty where it is there."""
    name, wish = package_name(host), host.want.package
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
    version = None if wish.version is None else wish.version.removeprefix(f"{name}-")
    shown = name if version is None else f"{name}-{version}"
    return only(
        Step(host.name, f"install {shown}", f"{name} is not installed", InstallPackage(name, version), Stage.PACKAGE)
    )
