"""`kubectl rsc plan`: what applying a file would change on the hosts, before it is applied.

A resource that only plans is made beside the cluster: it has the file's spec with management Observe, and annotations
that say as which cluster it plans and when it is to be gone. The operator reads the hosts and writes what it would do
into its status; it claims nothing and changes nothing.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import click
import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.api.annotations import EXPIRES_AT, PLAN_FOR
from redis_sentinel_operator.api.status import PlanItem, Status
from redis_sentinel_operator.cli.exits import DONE, DRIFT, NOT_DONE, CliError, Forbidden, NotFound, Usage
from redis_sentinel_operator.cli.fields import FENCED, MAINTENANCE
from redis_sentinel_operator.cli.kube import MANAGER, Api, Document, Where
from redis_sentinel_operator.cli.options import examples, opened, output_option, status_of, where_options
from redis_sentinel_operator.cli.terminal import document, fits, grid, said, show, table
from redis_sentinel_operator.cli.waiting import watched
from redis_sentinel_operator.times import second

_SPARE = timedelta(seconds=60)
_LONGEST = 41  # characters of the cluster's name in the other one's: that has 52 at most
# By these, tools that apply files know what is theirs, and may remove what is in no file.
_NOT_OURS = ("app.kubernetes.io/", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_STRICT = {"fieldValidation": "Strict"}  # as kubectl apply has it: a field that nobody knows is an error
_KINDS = {"Restart": "odd", "Failover": "bad"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the operator said: the changes, or why there is no plan; `unread` is what it could not see."""

    changes: tuple[PlanItem, ...]
    blocked: str = ""
    unread: str = ""

    @property
    def code(self) -> int:
        """The exit code. What was not seen may differ, so that is no clean bill."""
        if self.blocked:
            return NOT_DONE
        if self.changes:
            return DRIFT
        return NOT_DONE if self.unread else DONE


@click.command(
    epilog=examples(
        "kubectl rsc plan -f cluster.yaml", "kubectl rsc plan -f cluster.yaml -o json | jq '.changes[].what'"
    )
)
@click.option("-f", "--filename", "file", type=click.File("r"), required=True, help="The cluster's file, - for stdin.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1.0),
    default=120.0,
    metavar="SECONDS",
    help="How long to wait for the operator; 120 without it.",
)
@output_option
@where_options
@click.pass_context
def plan(ctx: click.Context, file: TextIO, timeout: float, output: str | None) -> None:
    """Show what applying a file would change on hosts.

    IMPACT is what clients notice: None; Reload, of a daemon's or a server's settings; Restart, of one server; Failover,
    a moment without a master. Nothing is changed. Exit code 0: nothing would be; 2: something would (for a pipeline
    that looks for drift, plan the file that is applied). You need the right to create RedisSentinelClusters in the
    namespace; what is made for the plan is removed again, at the latest by the operator.
    """
    where: Where = ctx.obj
    wanted = cluster_in(file)
    api = opened(ctx, replace(where, namespace=_namespace(wanted, where.namespace)))
    name = str(wanted["metadata"]["name"])
    live = _live(api, name, wanted)
    answer = _ask(api, scratch(wanted, live, _expiry(timeout)), timeout)
    if output:
        click.echo(document(as_document(name, answer), output))
    else:
        show(shown(f"{api.namespace}/{name}", answer))
    management = wanted["spec"].get("management") or "Full"
    if management != "Full" and answer.changes:
        click.echo(f"Note: the file has management: {management}, so none of it is done as long as it has", err=True)
    ctx.exit(answer.code)


def cluster_in(file: TextIO) -> Document:
    """Return the one cluster in a file; what else is in it is passed over. Raises Usage."""
    try:
        documents = [each for each in yaml.safe_load_all(file) if isinstance(each, dict)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Usage(f"{file.name} is no YAML: {error}") from None
    found = [each for each in documents if each.get("kind") == KIND]
    if len(found) != 1:
        count = f"has {len(found)} resources of kind {KIND}: plan one at a time" if found else f"has no {KIND} in it"
        raise Usage(f"{file.name} {count}")
    cluster = found[0]
    if cluster.get("apiVersion") != API_VERSION:
        raise Usage(f"{file.name}: apiVersion is {cluster.get('apiVersion')!r}; this program knows {API_VERSION}")
    if not isinstance(cluster.get("metadata"), dict) or not isinstance(cluster["metadata"].get("name"), str):
        raise Usage(f"{file.name}: metadata.name is missing")
    if not isinstance(cluster.get("spec"), dict):
        raise Usage(f"{file.name}: spec is missing")
    return cluster


def scratch(wanted: Document, live: Document | None, expires: datetime) -> Document:
    """Return the resource that only plans."""
    name = str(wanted["metadata"]["name"])
    spec = {**applied(wanted, live), "management": "Observe"}
    names = {each.get("name") for each in wanted["spec"].get("hosts") or () if isinstance(each, dict)}
    if live is not None and spec.get("initialMaster") not in names:  # one that has left is an error in a new resource
        spec.pop("initialMaster", None)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": f"{name[:_LONGEST].rstrip('-')}-plan-{secrets.token_hex(2)}",
            "labels": _labels(wanted if wanted["metadata"].get("labels") else live or wanted),
            "annotations": {PLAN_FOR: name, EXPIRES_AT: second(expires)},
        },
        "spec": spec,
    }


def applied(wanted: Document, live: Document | None) -> Document:
    """Return the spec that an apply of the file leaves: what people set beside the file is kept by it."""
    kept = {key: live["spec"][key] for key in (MAINTENANCE, FENCED) if key in live["spec"]} if live else {}
    return {**kept, **wanted["spec"]}


def _labels(body: Document) -> dict[str, str]:
    """Return the labels by which an operator knows its clusters, without those by which others know theirs."""
    labels: dict[str, str] = body["metadata"].get("labels") or {}
    return {name: value for name, value in labels.items() if not name.startswith(_NOT_OURS)}


def answer_of(body: Document) -> Answer | None:
    """Return what the operator said, None while it has not."""
    status = status_of(body)
    if status.observed_generation != body["metadata"]["generation"] or status.phase is None:
        return None
    if status.phase == "Blocked":
        return Answer((), blocked=status.message or "the operator refuses it")
    return Answer(status.plan, unread=_unread(status))


def as_document(name: str, answer: Answer) -> Document:
    """Return the answer for programs."""
    found: Document = {"cluster": name, "changes": [each.model_dump(by_alias=True) for each in answer.changes]}
    return found | {key: text for key, text in (("blocked", answer.blocked), ("unread", answer.unread)) if text}


def shown(name: str, answer: Answer) -> RenderableType:
    """Return the answer for people."""
    if answer.blocked:
        return Text.assemble(said(f"{name} cannot be planned: ", "bad"), answer.blocked)
    note = [said(f"Not all could be read, so changes may be missing: {answer.unread}", "bad")] if answer.unread else []
    if not answer.changes:
        return Group(*note, Text(f"{name}: nothing would be changed on any host that was read"))
    count = f"{len(answer.changes)} change{'s' if len(answer.changes) > 1 else ''}"
    rows = _in_columns(answer.changes)
    told = rows if fits(rows) else _below_each_other(answer.changes)
    return Group(*note, Text(f"{name}: {count} would be made"), told)


def _in_columns(changes: Sequence[PlanItem]) -> RenderableType:
    """Return a line for each host's change, as long as it needs."""
    rows = table("HOST", "IMPACT", "WHAT", "WHY")
    for each in changes:
        rows.add_row(each.host, said(each.impact, _KINDS.get(each.impact, "")), each.what, each.why)
    return rows


def _below_each_other(changes: Sequence[PlanItem]) -> RenderableType:
    """Return each change once, with the hosts that it is for."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in changes:
        alike.setdefault((each.impact, each.what, each.why), []).append(each.host)
    rows = grid()
    for (impact, what, why), hosts in alike.items():
        rows.add_row()
        rows.add_row(Text("IMPACT", style="bold"), said(impact, _KINDS.get(impact, "")))
        rows.add_row(Text("HOSTS" if len(hosts) > 1 else "HOST", style="bold"), ", ".join(hosts))
        rows.add_row(Text("WHAT", style="bold"), what)
        rows.add_row(Text("WHY", style="bold"), why)
    return rows


def _ask(api: Api, asked: Document, timeout: float) -> Answer:
    made = api.request("POST", api.path(), asked, fieldManager=MANAGER, **_STRICT)
    name, uid = str(made["metadata"]["name"]), made["metadata"]["uid"]
    try:
        return watched(api, name, answer_of, what="the operator's plan", patience=timeout)
    finally:
        with contextlib.suppress(CliError):  # it may be gone, or be not ours to delete: the operator does it then
            api.request("DELETE", api.path(name), {"preconditions": {"uid": uid}})


def _live(api: Api, name: str, wanted: Document) -> Document | None:
    """Return the cluster as it is; the API server is asked whether it would take the file in its place."""
    try:
        live = api.request("GET", api.path(name))
    except NotFound:
        return None
    with contextlib.suppress(Forbidden):  # who may not write it may still plan; the operator says what it refuses
        api.request(
            "PUT",
            api.path(name),
            {**live, "spec": applied(wanted, live)},
            dryRun="All",
            fieldManager=MANAGER,
            **_STRICT,
        )
    return live


def _unread(status: Status) -> str:
    found = next((each for each in status.conditions if each.type == "HostsReachable"), None)
    return found.message if found is not None and found.status != "True" else ""


def _namespace(wanted: Document, said_so: str) -> str:
    """Return the namespace that is meant, as kubectl apply takes it."""
    own: Any = wanted["metadata"].get("namespace") or ""
    if own and said_so and own != said_so:
        raise Usage(f"the file's namespace is {own!r}, and --namespace is {said_so!r}")
    return str(own or said_so)


def _expiry(timeout: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=timeout) + _SPARE
