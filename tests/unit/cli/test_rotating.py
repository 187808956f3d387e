"""`rotate`: which passwords it takes, and when the operator has said that all servers have it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from redis_sentinel_operator.cli.exits import CliError, Usage
from redis_sentinel_operator.cli.rotate import _in_sync, _password, _reference, refuse_where_nobody_gives_it
from redis_sentinel_operator.model.secret import Secret
from unit.cli.clusters import healthy


def said(message: str, status: str = "True") -> dict[str, Any]:
    body = healthy()
    body["status"]["conditions"] = [
        {"type": "CredentialsInSync", "status": status, "reason": "CredentialsInSync", "message": message}
    ]
    return body


def test_it_ends_with_the_word_on_this_very_version_of_the_secret() -> None:
    message = "The Secrets can be used and the servers accept the password of resourceVersion 1234."
    assert _in_sync(said(message), "1234")
    assert _in_sync(said(message), "123") is None
    assert _in_sync(said(message, "Unknown"), "1234") is None
    assert _in_sync(healthy(), "1234") is None


def test_a_password_is_generated_or_comes_from_a_file() -> None:
    assert len(_password(True, None).reveal()) > 40
    assert _password(True, None) != _password(True, None)
    assert _password(False, io.StringIO("secret\n")) == Secret("secret")


@pytest.mark.parametrize("text", ["", "with blank", 'with"quote', "ü"])
def test_a_password_that_sentinel_cannot_keep_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Usage) as error:
        _password(False, io.StringIO(text))
    assert not text or text not in error.value.message


def test_where_nobody_can_be_asked_it_is_said_how_to_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(Usage, match="--generate, or --password-file FILE"):
        _password(False, None)
    with pytest.raises(Usage, match="exclude each other"):
        _password(True, io.StringIO("x"))


@pytest.mark.parametrize("management", ["Paused", "Observe"])
def test_no_password_is_written_that_no_server_would_be_given(management: str) -> None:
    body = healthy()
    refuse_where_nobody_gives_it(body)
    body["spec"]["management"] = management
    with pytest.raises(CliError, match=f"management is {management}, so no server would be given the password"):
        refuse_where_nobody_gives_it(body)


def test_a_cluster_without_a_password_has_none_to_change() -> None:
    assert _reference(healthy()) == ("redis-auth", "password")
    body = healthy()
    del body["spec"]["auth"]
    with pytest.raises(CliError, match="redis-cluster has no password"):
        _reference(body)
