"""What is left in the middle, and in whose middle a master dies: procedures, and a host that joins."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from e2e.acting import answer, ask
from e2e.rig import NAME, Rig, Status, condition, is_healthy
from e2e.test_reset_stale import led_astray, with_the_packages_file
from e2e.test_restart import waits_for_a_restart
from e2e.test_rotation import another, everywhere, in_sync, put
from e2e.test_scaling import declare, installed
from e2e.test_switchover import settle
from e2e.test_upgrade import newer, version, with_the_older_one
from lab.ledger import Ledger
from lab.processes import wait_until
from lab.seed import NAMESPACE
from redis_sentinel_operator.operations.procedures import PROCEDURES

log = logging.getLogger(__name__)


class Undertaking:
    """How one is begun in a cluster, and what is to be looked at; this one by an act.

    `fresh`: on bare hosts, for what another test's cluster cannot be made of. `count`: how many hosts are the cluster
    at first. `spoils`: why the next test cannot have it, "" where it can. `declared`: what of the spec asks for it.
    """

    fresh = False
    count = 4
    spoils = ""
    declared: Mapping[str, Any] = {}

    def __init__(self, rig: Rig, verb: str) -> None:
        self.rig, self.verb = rig, verb

    def prepare(self, step: str) -> None:
        """Make what it is for, while an operator runs."""
        settle(self.rig)

    def begin(self, book: Ledger) -> str:
        """Begin it, while none runs; the time of the act, "" where a state asks for it."""
        return ask(self.rig, f"{self.verb} -")

    def sentence(self, step: str) -> str:
        """How the sentence of a step's command begins."""
        return PROCEDURES[self.verb].commands[step]

    def left(self, book: Ledger) -> None:
        """Look at what is particular when it has been left."""

    def over(self, at: str) -> None:
        """Wait until it has come to an end, also through the death of a master."""
        told = answer(self.rig, at, 200)
        log.info("%s: %s", self.verb, told)
        assert told["result"] in ("Done", "Failed"), told

    def end(self) -> None:
        """Bring the rest about, once management is Full again."""


class _Restart(Undertaking):
    spoils = "restarts were asked for"

    def prepare(self, step: str) -> None:
        settle(self.rig)
        waits_for_a_restart(self.rig)


class _Upgrade(Undertaking):
    fresh = True

    def __init__(self, rig: Rig, verb: str) -> None:
        super().__init__(rig, verb)
        self.declared = {"package": {"version": newer(rig)}}

    def prepare(self, step: str) -> None:
        with_the_older_one(self.rig)

    def begin(self, book: Ledger) -> str:
        self.rig.declare(**self.declared)
        return ""

    def over(self, at: str) -> None:
        self.rig.wait(lambda s: self._last(s).get("result") in ("Done", "Failed"), "the end of the upgrade", 300)
        log.info("%s: %s", self.verb, self._last(self.rig.status()))

    def _last(self, status: Status) -> dict[str, Any]:
        acts = status.get("acts") or [{}]
        return dict(acts[-1])

    def end(self) -> None:
        """One that was given up begins anew when somebody asks; that of a new resource by itself."""
        rig, wanted = self.rig, {newer(self.rig)}
        if {version(host) for host in rig.lab} != wanted and self._last(rig.status()).get("result") == "Failed":
            rig.wait(lambda s: (s["replicas"], s["sentinels"]) == ("3/3", "3/3"), "all in touch", 60)
            time.sleep(11)  # a procedure begins when all is settled
            assert answer(rig, ask(rig, "upgrade -"), 300)["result"] == "Done"
        rig.wait(lambda s: is_healthy(s) and {version(host) for host in rig.lab} == wanted, "the newer one", 300)


class _Rotation(Undertaking):
    first, second, stored = "", "", ""

    def begin(self, book: Ledger) -> str:
        self.first, self.second = self.rig.password, another()
        book.another = self.second
        self.stored = put(self.rig, {"password": self.second})
        return ""

    def over(self, at: str) -> None:
        self.rig.wait(lambda s: in_sync(s, self.stored) and s["replicas"] == "3/3", "the new password on all", 200)

    def left(self, book: Ledger) -> None:
        """All servers have one password, in force and in every file, and as long as there is a status it says which."""
        self.rig.password = book.password = self.second
        everywhere(self.rig, self.first)
        for body in self.rig.cp.get("rsc", "-n", NAMESPACE)["items"]:
            told = condition(body["status"], "CredentialsInSync")
            assert told["status"] == "True", told
            assert f"of resourceVersion {self.stored}." in told["message"]

    def end(self) -> None:
        settle(self.rig)
        stored = put(self.rig, {"password": self.first})
        self.rig.wait(lambda s: in_sync(s, stored), "the former password", 90)
        self.rig.password = self.first


class _Joining(Undertaking):
    """The fourth host comes to three. A step is how its sentence begins."""

    fresh = True
    count = 3

    def prepare(self, step: str) -> None:
        installed(self.rig, self.count)

    def begin(self, book: Ledger) -> str:
        declare(self.rig, 4)
        return ""

    def sentence(self, step: str) -> str:
        return step

    def over(self, at: str) -> None:
        self.rig.wait(lambda s: is_healthy(s) and s["ready"] == "4/4", "four hosts", 200)


class _ResetStale(Undertaking):
    def prepare(self, step: str) -> None:
        settle(self.rig)
        (led_astray if step == "monitor" else with_the_packages_file)(self.rig)

    def left(self, book: Ledger) -> None:
        """Every sentinel runs, names the master, and knows the others."""
        (chief,) = self.rig.master_by_role()

        def told(host: str) -> tuple[str, int]:
            try:
                with self.rig.sentinel(host) as client:
                    found = client.sentinel_master(NAME)
            except RedisError:
                return "", 0
            return str(found["ip"]), int(found["num-other-sentinels"])

        wanted = [(self.rig.lab[chief].address, 2)] * 3
        assert wait_until(lambda: [told(host.name) for host in self.rig.lab.replicas] == wanted, 30, 0.5)


UNDERTAKINGS: dict[str, type[Undertaking]] = {
    "drill": Undertaking,
    "switchover": Undertaking,
    "restart": _Restart,
    "upgrade": _Upgrade,
    "rotation": _Rotation,
    "join": _Joining,
    "reset-stale": _ResetStale,
}
