"""The EL families: where each has its packages, files, units and users. A table, no ifs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from redis_sentinel_operator.conf.version import least
from redis_sentinel_operator.model.fact import OsFacts

DROP_IN = "zz-redis-sentinel-operator.conf"
FENCE = "zz-redis-sentinel-operator-fence.conf"  # the drop-in that keeps a unit from starting


@dataclass(frozen=True, slots=True)
class Family:
    """What the package of one EL release puts where.

    `own` is the oldest server that the release itself has, in the numbers of the directive table: by module stream, ""
    where none is enabled. A host may run a newer one; what only that one has is not used, so that a cluster is planned
    alike on every host of the family. valkey counts by its own number, not by the 7.2.4 that its INFO has for
    `redis_version` in all versions.
    """

    name: str
    package: str
    own: Mapping[str, str]
    redis_conf: str
    sentinel_conf: str
    redis_unit: str
    sentinel_unit: str
    user: str
    group: str  # group of the data directory
    conf_group: str  # group of the two files: the package has them 0640 user:conf_group
    data_dir: str
    redis_log: str
    sentinel_log: str
    yum_conf: str
    modules: bool  # whether its dnf has module streams
    semanage: str  # the package that has it

    def features(self, running: str, module: str = "") -> str:
        """Return the version whose features may be planned: the EL's own, or the running one where that is older."""
        return least(self.own.get(module, self.own[""]), running)

    def stream_with(self, known_to: Callable[[str], bool]) -> str:
        """Return the first module stream whose own server has something, "" for none."""
        return next((stream for stream, version in self.own.items() if stream and known_to(version)), "")

    @property
    def redis_drop_in(self) -> str:
        """Our drop-in of the redis unit; the name sorts after the package's limit.conf."""
        return f"/etc/systemd/system/{self.redis_unit}.d/{DROP_IN}"

    @property
    def sentinel_drop_in(self) -> str:
        """Our drop-in of the sentinel unit."""
        return f"/etc/systemd/system/{self.sentinel_unit}.d/{DROP_IN}"

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read to know how the host is configured."""
        return (self.redis_conf, self.sentinel_conf, self.redis_drop_in, self.sentinel_drop_in)

    @property
    def units(self) -> tuple[str, str]:
        """The two units."""
        return (self.redis_unit, self.sentinel_unit)


EL7 = Family(
    name="EL7",
    package="redis",
    own={"": "3.2.12"},
    redis_conf="/etc/redis.conf",
    sentinel_conf="/etc/redis-sentinel.conf",
    redis_unit="redis.service",
    sentinel_unit="redis-sentinel.service",
    user="redis",
    group="redis",
    conf_group="root",
    data_dir="/var/lib/redis",
    redis_log="/var/log/redis/redis.log",
    sentinel_log="/var/log/redis/sentinel.log",
    yum_conf="/etc/yum.conf",
    modules=False,
    semanage="policycoreutils-python",
)
EL8 = replace(
    EL7,
    name="EL8",
    own={"": "5.0.3", "redis:5": "5.0.3", "redis:6": "6.0.9"},
    yum_conf="/etc/dnf/dnf.conf",
    modules=True,
    semanage="policycoreutils-python-utils",
)
EL9 = replace(
    EL8,
    name="EL9",
    own={"": "6.2.7", "redis:7": "7.0.12"},
    redis_conf="/etc/redis/redis.conf",
    sentinel_conf="/etc/redis/sentinel.conf",
)
EL10 = Family(
    name="EL10",
    package="valkey",
    own={"": "8.0"},
    redis_conf="/etc/valkey/valkey.conf",
    sentinel_conf="/etc/valkey/sentinel.conf",
    redis_unit="valkey.service",
    sentinel_unit="valkey-sentinel.service",
    user="valkey",
    group="valkey",
    conf_group="root",
    data_dir="/var/lib/valkey",
    redis_log="/var/log/valkey/valkey.log",
    sentinel_log="/var/log/valkey/sentinel.log",
    yum_conf="/etc/dnf/dnf.conf",
    modules=False,
    semanage="policycoreutils-python-utils",
)

FAMILIES = {"7": EL7, "8": EL8, "9": EL9, "10": EL10}
EL_IDS = frozenset({"centos", "rhel", "ol", "scientific", "rocky", "almalinux"})


def family(os: OsFacts) -> Family | None:
    """Return the family of a host's os-release, None when it is not supported."""
    if os.id not in EL_IDS:
        return None
    return FAMILIES.get(os.version_id.split(".")[0])
