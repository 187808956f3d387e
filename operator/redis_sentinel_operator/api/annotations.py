"""The annotations by which a resource asks for what is no state."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from redis_sentinel_operator.api import GROUP

ACT: Final = f"{GROUP}/act"  # "<verb> <arg or -> <RFC 3339 time>"
MAX_AGE: Final = timedelta(minutes=10)  # an older act is refused
PLAN_FOR: Final = f"{GROUP}/plan-for"  # the name of the resource as which this one plans
EXPIRES_AT: Final = f"{GROUP}/expires-at"  # RFC 3339: when a resource that only plans is deleted
