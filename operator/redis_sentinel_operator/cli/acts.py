"""The acts: what a person asks the operator for. Each is one annotation, and ends with the operator's answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from redis_sentinel_operator.api.annotations import ACT, MAX_AGE
from redis_sentinel_operator.api.status import Act, Status
from redis_sentinel_operator.cli.exits import CliError, Usage
from redis_sentinel_operator.cli.kube import Api, Document
from redis_sentinel_operator.cli.naming import host_argument, name_argument
from redis_sentinel_operator.cli.options import examples, host_of, status_of, waiting_options, with_api
from redis_sentinel_operator.cli.terminal import show
from redis_sentinel_operator.cli.waiting import wait_for
from redis_sentinel_operator.times import moment, precise

ALL = "-"  # no argument
_SECONDS = 900.0

HostOf = Callable[[Document, str], str]


@dataclass(frozen=True, slots=True)
class Verb:
    """One act. `host` checks its argument (None: it takes none), `sure` is asked before it is sent ("" for nothing)."""

    name: str
    about: str
    examples: tuple[str, ...]
    host: HostOf | None = None
    required: bool = False
    sure: str = ""


def _of_status(body: Document, name: str) -> str:
    """A host that leaves is in status only."""
    known = {each.name for each in status_of(body).hosts}
    return name if name in known else host_of(body, name)


VERBS = (
    Verb(
        "switchover",
        """Make another host the master.

    HOST is the new master; without it the operator takes the best replica. No acknowledged plain write is lost. It is
    refused unless all is calm and as declared.
    """,
        examples=(
            "kubectl rsc switchover redis-cluster redis_slave02 -n redis",
            "kubectl rsc switchover redis-cluster -n redis",
        ),
        host=host_of,
    ),
    Verb(
        "drill",
        """Try a failover: stop the master's redis cleanly.

    The sentinels replace it by themselves. Nothing can be written until they have: downAfterMilliseconds and a few
    seconds. The stopped one comes back as a replica. HOST, where given, must be the present master.
    """,
        examples=("kubectl rsc drill redis-cluster -n redis",),
        host=host_of,
    ),
    Verb(
        "restart",
        """Restart what waits for a restart.

    The master comes last: it is replaced by a switchover before, and restarted as a replica.
    """,
        examples=("kubectl rsc restart redis-cluster -n redis",),
    ),
    Verb(
        "upgrade",
        """Go on with an upgrade that waits for you.

    One that has failed is tried again at once.
    """,
        examples=("kubectl rsc upgrade redis-cluster -n redis",),
    ),
    Verb(
        "recover",
        """Say who is to be master, as no failover can succeed.

    For a dead master without a successor (MasterDeadNoSuccessor). The last master is started with what is on its
    disk; a replica becomes master with what it has. What others had and it has not is lost.
    """,
        examples=("kubectl rsc recover redis-cluster redis_slave02 -n redis",),
        host=host_of,
        required=True,
        sure="Writes that {host} does not have are lost. Go on?",
    ),
    Verb(
        "reset-stale",
        """Mend sentinels that are stuck.

    All of them, or only the one on HOST: those that name another master than the others and do not follow, count
    others that are gone, or run with the file that their package brought.
    """,
        examples=(
            "kubectl rsc reset-stale redis-cluster -n redis",
            "kubectl rsc reset-stale redis-cluster redis_slave03 -n redis",
        ),
        host=host_of,
    ),
    Verb(
        "forget-host",
        """Say that a host is gone for good.

    For a host that was taken out of the spec and cannot be proved to be stopped, so that it stays Leaving.
    """,
        examples=("kubectl rsc forget-host redis-cluster redis_slave03 -n redis",),
        host=_of_status,
        required=True,
        sure="{host} must never come back with its data. Go on?",
    ),
    Verb(
        "adopt-claim",
        """Take over hosts that another owner has.

    Only when that owner is really gone: two owners of one host would undo each other's work.
    """,
        examples=("kubectl rsc adopt-claim redis-cluster -n redis",),
        sure="The owner that the hosts name must be gone for good. Go on?",
    ),
)


def command(verb: Verb) -> click.Command:
    """Return the command of an act."""

    @waiting_options(_SECONDS)
    @with_api
    def run(api: Api, name: str, patience: float, host: str | None = None, yes: bool = True) -> None:
        body = api.cluster(name)
        arg = argument(verb, body, host)
        if verb.sure and not yes:
            _make_sure(verb.sure.format(host=arg))
        at = send(api, name, verb.name, arg)
        if not patience:
            click.echo(f"{verb.name} is asked for; `kubectl rsc status {name}` tells what becomes of it")
            return
        what = f"the answer to the {verb.name}"
        tell(wait_for(api, name, lambda now: answer(status_of(now), at), what=what, patience=patience))

    run.__doc__ = verb.about
    made: Any = run
    if verb.sure:
        made = click.option("-y", "--yes", is_flag=True, help="Do not ask whether it is meant.")(made)
    if verb.host:
        made = host_argument(required=verb.required)(made)
    made = name_argument()(made)
    result: click.Command = click.command(verb.name, help=verb.about, epilog=examples(*verb.examples))(made)
    return result


def argument(verb: Verb, body: Document, host: str | None) -> str:
    """Return the act's argument; `-` may be typed as messages of the operator write it. Raises NotFound."""
    if verb.host is None or host is None or (host == ALL and not verb.required):
        return ALL
    return verb.host(body, host)


def send(api: Api, name: str, verb: str, arg: str) -> str:
    """Write the annotation; return the time by which the act is answered."""
    at = precise(datetime.now(UTC))

    def patch(body: Document) -> Document:
        waiting = unanswered(body, datetime.now(UTC))
        if waiting:
            raise CliError(
                f"another act is not answered yet ({waiting}): ask again when `kubectl rsc status` shows its answer"
            )
        return {"metadata": {"annotations": {ACT: f"{verb} {arg} {at}"}}}

    api.change(name, patch)
    return at


def unanswered(body: Document, now: datetime) -> str:
    """Return the act that the operator has still to answer, "" for none: another one would take its place."""
    text = str((body["metadata"].get("annotations") or {}).get(ACT, ""))
    asked = moment(text.rpartition(" ")[2])
    if asked is None or now - asked > MAX_AGE:
        return ""
    answers = {act.at for act in status_of(body).acts if act.result != "Running"}
    return "" if text.rpartition(" ")[2] in answers else text


def answer(status: Status, at: str) -> Act | None:
    """Return the last word on an act, None while there is none."""
    return next((act for act in status.acts if moment(act.at) == moment(at) and act.result != "Running"), None)


def tell(act: Act) -> None:
    """Say what became of an act. Raises CliError where it was not done."""
    said = f"{act.result}: {act.message}" if act.message else act.result
    if act.result != "Done":
        raise CliError(said)
    show(Text(said))


def _make_sure(question: str) -> None:
    if not sys.stdin.isatty():
        raise Usage(f"{question.removesuffix(' Go on?')} Where nobody can be asked, say so with --yes")
    if not click.confirm(question, err=True):
        raise CliError("nothing was asked for")
