"""The seed's procedure as a pyinfra deploy: what the operator is measured against (PASSWORD in the environment)."""

import os

from pyinfra.operations import dnf, files, systemd

dnf.packages(packages=["redis"])
for key, value in (
    ("bind", "0.0.0.0"),
    ("requirepass", os.environ["PASSWORD"]),
    ("repl-ping-slave-period", "10"),
    ("repl-timeout", "60"),
):
    files.line(path="/etc/redis.conf", line=f"^{key} .*", replace=f"{key} {value}")
systemd.service(service="redis", running=True, enabled=True)
systemd.service(service="redis-sentinel", running=True, enabled=True)
