"""The EL families: where each has its packages, files, units and users. A table, no ifs."""

from __future__ import annotations

from dataclasses import dataclass

from redis_sentinel_operator.model.fact import OsFacts

DROP_IN = "zz-redis-sentinel-operator.conf"


@dataclass(frozen=True, slots=True)
class Family:
    """What the package of one EL release puts where."""

    name: str
    package: str
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
)

FAMILIES = {"7": EL7}
EL_IDS = frozenset({"centos", "rhel", "ol", "scientific", "rocky", "almalinux"})


def family(os: OsFacts) -> Family | None:
    """Return the family of a host's os-release, None when it is not supported."""
    if os.id not in EL_IDS:
        return None
    return FAMILIES.get(os.version_id.split(".")[0])
