"""The ACL file of Redis 6 on: what it says of the default user counts, and not requirepass."""

from __future__ import annotations

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import RedisConf
from redis_sentinel_operator.conf.table import version_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import EditConf, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait

_CHANNELS = (6, 2)  # since then users have rules for channels


def acl_file(desired: Desired, host: Host, conf: RedisConf) -> Part:
    """Return the step that gives the default user of an ACL file the password; the other users stay as they are.

    CONFIG SET and CONFIG REWRITE leave that file alone, and the password of before would be back at the next start
    (measured). ACL SAVE would write it, together with whatever else somebody tried on the running server.
    """
    path, password = conf.get("aclfile"), desired.password
    file = host.files.get(path) if path else None
    if file is None or password is None or not (host.redis or host.redis_stopped):
        return Part()
    if users.file_takes_only(file.text, password.reveal()):
        return Part()
    if not users.is_acl_file(file.text):
        return wait(f"{path} of {host.name} is named as aclfile, but holds more than users: it is left as it is")
    channels = version_of(host.server_version) >= _CHANNELS
    action = EditConf(
        path=file.path,
        directives={"user default": password},
        owner=host.family.user,
        group=host.family.conf_group,
        text=Secret(users.file_with_password(file.text, password.reveal(), channels=channels)),
        base_sha256=sha256(file.text),
    )
    what = f"give the default user in {file.path} the password"
    return only(Step(host.name, what, "what that file says counts at the next start", action, Stage.FILES))
