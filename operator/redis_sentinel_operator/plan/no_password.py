"""A cluster without a password: what a host still has of one is taken away, in force first and then in its files.

masterauth goes together with requirepass: a server without a password refuses whoever sends one.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.model.operation import GivePassword
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift, EditConf, Impact, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage, only, wait

_NAMES = ("requirepass", "masterauth")
_ALONE = "7.0"  # from this version on protected mode counts whatever it is bound to
_WHY = "the resource names no password"


def no_password(host: Host, rest: Part) -> Part:
    """Return what is to be done to one redis of a cluster whose master has no password; `rest` is all else.

    As long as it has one it follows nobody. Its file is edited when nothing else is to be done to it.
    """
    if not has_password(host):
        known = host.redis is not None or host.redis_stopped
        return rest if rest.steps or not known else rest + in_files(host)
    reason = shut_in([host])
    drift = Part(drift=((host.name, ConfigDrift("requirepass", "(none)", "(a password)")),))
    return drift + (wait(reason) if reason else only(take(host.name, [host])))


def has_password(host: Host) -> bool:
    """Whether the redis that runs on a host asks for a password, or sends one to its master."""
    return host.redis is not None and any(host.redis.config.get(name) for name in _NAMES)


def take(on: str, hosts: Sequence[Host]) -> Step:
    """Return the step that takes the password from the running redis of these hosts, all at once."""
    names = tuple(host.name for host in hosts)
    bare = tuple(host.name for host in hosts if host.redis and not host.redis.config.get("requirepass"))
    what = f"take the password from redis on {', '.join(names)}"
    return Step(on, what, _WHY, GivePassword(None, names, (), bare), Stage.FILES, Impact.RELOAD, needs=CONFIRMED)


def shut_in(hosts: Sequence[Host]) -> str:
    """Return a sentence for those whose redis would answer nobody from elsewhere without a password, "" for none."""
    names = [host.name for host in hosts if _is_protected(host)]
    if not names:
        return ""
    return (
        f"redis on {', '.join(names)} is in protected mode, in which it answers nobody but its own host without a "
        'password: set protected-mode: "no" in spec.redis.config first'
    )


def _is_protected(host: Host) -> bool:
    if host.redis is None or host.redis.config.get("protected-mode", "no") != "yes":
        return False
    return at_least(host.redis.version, _ALONE) or not host.redis.config.get("bind")


def in_files(host: Host) -> Part:
    """Return the steps that strike the password from the default user of an ACL file, and then from redis.conf.

    The ACL file may have no more than a digest of it: until that is gone it must be told somewhere.
    """
    conf, file = host.conf(), host.redis_conf
    if conf is None or file is None or conf.broken:
        return Part()
    found = _acl_file(host, conf.get("aclfile") or "")
    if conf.lets_all_in and not conf.get("masterauth"):
        return found
    text = conf.edit({}, _NAMES)
    included = {path: each.text for path, each in host.files.items() if each}
    if text == file.text or not parse(text, included).lets_all_in:
        return found + wait(
            f"a file that {file.path} of {host.name} includes says requirepass or masterauth, and the resource names "
            f"no password ({', '.join(conf.includes)}); remove it there"
        )
    return found + _edit(host, file.path, file.text, text, ("remove", _NAMES))


def _acl_file(host: Host, path: str) -> Part:
    file = host.files.get(path) if path else None
    if file is None or not users.is_acl_file(file.text) or users.file_takes_all(file.text):
        return Part()
    return _edit(host, path, file.text, users.file_without_password(file.text), ("open the default user", ()))


def _edit(host: Host, path: str, before: str, after: str, said: tuple[str, tuple[str, ...]]) -> Part:
    word, names = said
    action = EditConf(path, {}, names, host.family.user, host.family.conf_group, Secret(after), sha256(before))
    what = f"{word} {', '.join(names)} in {path}" if names else f"{word} in {path}"
    return only(Step(host.name, what, _WHY, action, Stage.FILES, needs=CONFIRMED))
