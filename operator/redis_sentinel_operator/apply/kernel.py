"""What the kernel is told: its settings, and SELinux' types of files and ports."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.conf.directives import encode
from redis_sentinel_operator.conf.kernel import shown
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.step import AllowPorts, LabelFile, SetKernel
from redis_sentinel_operator.settings import Settings


async def change_kernel(
    action: SetKernel | LabelFile | AllowPorts, link: HostLink, guard: Guard, settings: Settings
) -> Outcome:
    """Do what is planned; a setting that the kernel refuses is written for its next boot, and is no failure."""
    script, arguments, text = _asked(action)
    result = await change(link, guard, script, *arguments, stdin=encode(text), seconds=settings.step_timeout)
    if result.exit_status != 0:
        return failed(scrub(result.stderr) or f"the host answered with status {result.exit_status}")
    if isinstance(action, AllowPorts):
        return done(f"SELinux lets redis use {', '.join(map(str, action.ports))}")
    refused = ", ".join(shown(each) for each in result.text.split())
    later = f"; the kernel refuses {refused} now, so it comes with the next boot" if refused else ""
    return done(f"{action.path} {'written' if text else 'labelled'}{later}")


def _asked(action: SetKernel | LabelFile | AllowPorts) -> tuple[str, tuple[str, ...], str]:
    """Return the script, its arguments, and what it reads."""
    match action:
        case SetKernel(path, text, now):
            return "kernel", (path, *(word for pair in now.items() for word in pair)), text
        case LabelFile(path, type_):
            return "label", (path, type_), ""
        case AllowPorts(ports):
            return "ports", tuple(map(str, ports)), ""
