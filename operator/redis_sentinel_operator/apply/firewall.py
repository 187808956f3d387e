"""The firewall: rules of firewalld in force and permanently, our chain of iptables and its lines for the next boot."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import CHANGED_MEANWHILE, Guard, change
from redis_sentinel_operator.conf.directives import encode, sha256
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.step import EditFirewalld, FillChain, SaveChain
from redis_sentinel_operator.settings import Settings


async def change_firewall(
    action: EditFirewalld | FillChain | SaveChain, link: HostLink, guard: Guard, settings: Settings
) -> Outcome:
    """Do what is planned; what is open or closed already is fine."""
    script, arguments, text = _asked(action)
    result = await change(link, guard, script, *arguments, stdin=encode(text), seconds=settings.step_timeout)
    if result.exit_status == 0:
        return done("as declared")
    if result.exit_status == CHANGED_MEANWHILE:
        return failed("the file was changed meanwhile; it is read again and nothing is lost")
    return failed(scrub(result.stderr) or f"the host answered with status {result.exit_status}")


def _asked(action: EditFirewalld | FillChain | SaveChain) -> tuple[str, tuple[str, ...], str]:
    """Return the script, its arguments, and what it reads."""
    match action:
        case EditFirewalld(add, remove, forget):
            verbs = (("add", add), ("remove", remove), ("forget", forget))
            return "firewalld", (), "".join(f"{verb} {rule}\n" for verb, rules in verbs for rule in rules)
        case FillChain(tool, text):
            return "iptables", (tool,), text
        case SaveChain(tool, file, text, base):
            test = f"{tool}-restore --test"
            return "replace", (file.path, base, sha256(text), file.owner, file.group, f"{file.mode:04o}", test), text
