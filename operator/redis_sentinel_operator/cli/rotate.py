"""`kubectl rsc rotate`: another password, from the Secret to the last sentinel."""

from __future__ import annotations

import base64
import re
import secrets
import sys
from typing import TextIO

import click

from redis_sentinel_operator.api.desired import check_password, password_ref
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.cli.exits import CliError, NotFound, Usage
from redis_sentinel_operator.cli.kube import MANAGER, MERGE, Api, Document
from redis_sentinel_operator.cli.naming import name_argument
from redis_sentinel_operator.cli.options import examples, management_of, status_of, waiting_options, with_api
from redis_sentinel_operator.cli.waiting import wait_for
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.secret import Secret

_SECONDS = 600.0
_SEEN = 75.0  # seconds: the operator looks at Secrets once a minute
_BYTES = 32  # of randomness: 43 letters, digits, - and _


@click.command(
    epilog=examples(
        "kubectl rsc rotate redis-cluster -n redis --generate",
        'printf %s "$NEW" | kubectl rsc rotate redis-cluster -n redis --password-file -',
    )
)
@name_argument()
@click.option("--generate", is_flag=True, help="Make a random password; it is read from the Secret, never shown.")
@click.option(
    "--password-file",
    type=click.File("r"),
    metavar="FILE",
    help="Take the password from a file, - for stdin. Without either option it is asked for.",
)
@waiting_options(_SECONDS)
@with_api
def rotate(api: Api, name: str, generate: bool, password_file: TextIO | None, patience: float) -> None:
    """Change the password of redis and sentinel.

    It is written into the Secret, and the operator gives it to all servers. Nothing is restarted and no connection
    ends. Who connects anew needs the new password as soon as this ends: give it to the clients then. You need the right
    to patch the Secret.
    """
    body = api.cluster(name)
    secret_name, key = _reference(body)
    refuse_where_nobody_gives_it(body)
    password = _password(generate, password_file)
    version = _store(api, secret_name, key, password)
    if not version:
        click.echo(f"the Secret {secret_name} has this password already: nothing is changed")
        return
    click.echo(f"the Secret {secret_name} has the new password; the operator sees that within a minute", err=True)
    if not patience:
        click.echo(f"the operator gives it to all servers; `kubectl rsc status {name}` tells how far it is")
        return
    what = "the word that all servers have the password"
    wait_for(api, name, lambda now: _in_sync(now, version), what=what, patience=patience, speaks=_SEEN)
    click.echo("Done: all servers have the new password; give it to the clients now")


def refuse_where_nobody_gives_it(body: Document) -> None:
    """Raise CliError where the operator changes nothing: clients would take a password that no server has."""
    if management_of(body) != "Full":
        raise CliError(
            f"management is {management_of(body)}, so no server would be given the password, and whoever takes it from "
            "the Secret would be turned away. Nothing is changed; ask again when management is Full"
        )


def _reference(body: Document) -> tuple[str, str]:
    try:
        found = password_ref(parse(body))
    except SpecRefused as error:
        raise CliError(str(error)) from None
    if found is None:
        raise CliError(
            f"{body['metadata']['name']} has no password: name a Secret in spec.auth.passwordSecretRef and apply that"
        )
    return found


def _password(generate: bool, file: TextIO | None) -> Secret:
    if generate and file is not None:
        raise Usage("--generate and --password-file exclude each other")
    if generate:
        return Secret(secrets.token_urlsafe(_BYTES))
    if file is not None:
        password = Secret(file.read().removesuffix("\n"))
    elif sys.stdin.isatty():
        password = Secret(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        raise Usage("say which password: --generate, or --password-file FILE")
    try:
        check_password(password)
    except SpecRefused as error:
        raise Usage(str(error)) from None
    return password


def _store(api: Api, name: str, key: str, password: Secret) -> str:
    """Write the password; return the Secret's new resourceVersion, "" where it was in it already."""
    path = api.path(name, "secrets", "api/v1")
    try:
        found = api.request("GET", path)
    except NotFound:
        raise NotFound(
            f"there is no Secret {name!r} in namespace {api.namespace!r}: make it as `kubectl rsc init` shows"
        ) from None
    value = base64.b64encode(password.reveal().encode()).decode()
    if (found.get("data") or {}).get(key) == value:
        return ""
    version = found["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {key: value}}
    made = api.request("PATCH", path, patch, content_type=MERGE, fieldManager=MANAGER)
    return str(made["metadata"]["resourceVersion"])


def _in_sync(body: Document, version: str) -> bool | None:
    """Whether all servers have the password of that version of the Secret; None while not."""
    for each in status_of(body).conditions:
        if each.type == "CredentialsInSync" and re.search(rf"resourceVersion {version}\b", each.message):
            return True if each.status == "True" else None
    return None
