"""The program from outside: help, bad input, no API server; always one line, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from redis_sentinel_operator.cli.exits import FORBIDDEN, GIVEN_UP, NO_SERVER, NOT_DONE, USAGE, CliError, GivenUp
from redis_sentinel_operator.cli.kube import _ERRORS, Api, Document, Where
from redis_sentinel_operator.cli.main import main, rsc
from redis_sentinel_operator.cli.waiting import wait_for
from unit.cli.clusters import healthy

COMMANDS = sorted(rsc.commands)


class Runner:
    """The program with a kubeconfig of the test."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self._capsys = capsys
        self.kubeconfig = tmp_path / "kubeconfig"
        monkeypatch.setenv("KUBECONFIG", str(self.kubeconfig))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def write(self, server: str = "http://127.0.0.1:9", **more: object) -> None:
        """A kubeconfig for an API server that is not there (port 9 is nobody's)."""
        config: dict[str, object] = {
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "of-context"}}],
        }  # fmt: skip
        self.kubeconfig.write_text(yaml.safe_dump(config | more))

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit code and what is on stderr."""
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err
        return int(ended.value.code or 0), said.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    return Runner(capsys, monkeypatch, tmp_path)


def helped(*command: str) -> Result:
    return CliRunner().invoke(rsc, [*command, "--help"], terminal_width=100)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_is_for_and_shows_an_example_that_it_takes(command: str) -> None:
    shown = helped(command)
    assert shown.exit_code == 0
    text = re.sub(r"\\\n +", "", shown.output)
    lines = [line.strip() for line in text.partition("Examples:")[2].splitlines() if "kubectl rsc" in line]
    assert lines, f"{command} has no example"
    for line in lines:
        words = line[line.index("kubectl rsc") + 12 :].split(" | ")[0].split(")")[0].split(" > ")[0].split()
        assert words[0] == command
        arguments = [os.devnull if word == "cluster.yaml" else word for word in words[1:]]
        with rsc.commands[command].make_context(command, arguments):
            pass


def test_commands_are_told_in_a_line_each_and_exit_codes_in_a_table() -> None:
    text = helped().output
    assert all(re.search(rf"^  {command} +[A-Z].*[^.]\.$", text, re.MULTILINE) for command in COMMANDS), text
    assert "..." not in text.partition("Commands:")[2]
    assert re.findall(r"^ +([0-7])  ", text, re.MULTILINE) == list("01234567")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sttus"], "No such command 'sttus'. Did you mean 'status'?"),
        (["fence"], "Missing argument 'NAME'"),
        (["fence", "redis-cluster"], "Missing argument 'HOST'"),
        (["maintenance", "maybe", "a", "b"], "'maybe' is not one of 'on', 'off'"),
        (["status", "--output", "xml"], "'xml' is not one of 'json', 'yaml'"),
        (["drill", "a", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["plan"], "Missing option '-f' / '--filename'"),
        (["plan", "-f", "/no/such/file"], "'/no/such/file': No such file or directory"),
        (["init", "Big", "10.0.0.1"], "'Big' is no name for a cluster"),
        (["rotate", "a", "b"], "Got unexpected extra argument (b)"),
    ],
)
def test_bad_input_is_one_line_that_says_where_help_is(run: Runner, arguments: list[str], said: str) -> None:
    run.write()
    code, told = run(*arguments)
    assert code == USAGE
    assert told.startswith("kubectl rsc: ")
    assert said in told
    assert told.count("\n") == 1


def test_without_a_kubeconfig_nobody_is_asked(run: Runner) -> None:
    code, told = run("status")
    assert (code, told) == (
        NO_SERVER,
        f"kubectl rsc: no API server is named: there is no kubeconfig {run.kubeconfig}; set KUBECONFIG or "
        "--kubeconfig\n",
    )
    assert run("status", "--kubeconfig", "/no/such")[0] == USAGE


@pytest.mark.parametrize("text", ["{", "- 1", "3", "clusters: 7", "\x00"])
def test_a_kubeconfig_that_is_none_is_one_line(run: Runner, text: str) -> None:
    run.kubeconfig.write_text(text)
    code, told = run("status")
    assert code == NO_SERVER
    assert told.count("\n") == 1
    assert str(run.kubeconfig) in told


def test_an_api_server_that_is_not_there_is_told_by_its_address(run: Runner) -> None:
    run.write()
    for arguments in (
        ["status"],
        ["history", "a"],
        ["pause", "a"],
        ["drill", "a"],
        ["fence", "a", "b"],
        ["rotate", "a"],
    ):
        code, told = run(*arguments)
        assert code == NO_SERVER
        assert told == "kubectl rsc: the API server http://127.0.0.1:9 does not answer: Connection refused\n"


def test_a_context_that_is_not_there_is_told_with_those_that_are(run: Runner) -> None:
    run.write()
    code, told = run("status", "--context", "there")
    assert code == USAGE
    assert told == f"kubectl rsc: --context: there is no context 'there' in {run.kubeconfig}; it has: here\n"


def test_options_of_a_command_win_over_those_before_it() -> None:
    outer = Where("file", "context", "namespace")
    assert Where("", "", "own").over(outer) == Where("file", "context", "own")


def test_no_permission_no_object_and_no_server_differ() -> None:
    codes = [error.exit_code for error in _ERRORS.values()]
    assert codes == [FORBIDDEN, FORBIDDEN, 4, NOT_DONE]
    assert len({NOT_DONE, 2, USAGE, 4, FORBIDDEN, NO_SERVER, 7}) == 7


@pytest.mark.parametrize(("shell", "has"), [("bash", "complete -o nosort"), ("zsh", "#compdef"), ("fish", "complete ")])
def test_completion_for_a_shell(shell: str, has: str) -> None:
    made = CliRunner().invoke(rsc, ["completion", shell])
    assert made.exit_code == 0
    assert has in made.output
    assert "kubectl-rsc" in made.output


def test_kubectl_completes_by_the_helper_that_it_asks_for(tmp_path: Path) -> None:
    """The helper is run as kubectl runs it, with the program in PATH."""
    there = tmp_path / "kubectl-rsc"
    there.write_text(f'#!/bin/sh\nexec {sys.executable} -m redis_sentinel_operator.cli "$@"\n')
    helper = tmp_path / "kubectl_complete-rsc"
    helper.write_text(CliRunner().invoke(rsc, ["completion", "kubectl"]).output)
    for each in (there, helper):
        each.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    for words, found in (
        (["re"], {"recover", "reset-stale", "restart", "resume"}),
        (["maintenance", ""], {"on", "off"}),
    ):
        done = subprocess.run([helper, *words], env=environment, capture_output=True, text=True, check=True, timeout=50)
        *lines, directive = done.stdout.splitlines()
        assert found <= set(lines)
        assert directive == ":4"
        assert done.stderr == ""


def test_without_what_it_needs_it_says_what_to_install() -> None:
    """As in the operator's image, where nobody sits at a terminal."""
    begin = "import sys; sys.modules['rich'] = None; from redis_sentinel_operator.cli.__main__ import run; run()"
    done = subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == NOT_DONE
    assert done.stderr == "kubectl-rsc: rich is missing here: pip install 'redis-sentinel-operator[cli]'\n"


def test_a_pipe_that_is_closed_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        command = [sys.executable, "-m", "redis_sentinel_operator.cli", "--help"]
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


def test_given_up_by_a_person_is_told(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def given_up(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(rsc, "main", given_up)
    assert run() == (GIVEN_UP, "kubectl rsc: given up\n")


class Interrupted(Api):
    """An API server at which the person presses Ctrl-C."""

    def __init__(self) -> None: ...

    def cluster(self, name: str) -> Document:
        raise KeyboardInterrupt


def test_who_gives_up_waiting_is_told_that_it_goes_on() -> None:
    with pytest.raises(GivenUp) as ended:
        wait_for(Interrupted(), "redis-cluster", lambda _: None, what="it", patience=1.0)
    assert ended.value.exit_code == GIVEN_UP
    assert "what was asked for goes on: `kubectl rsc status redis-cluster`" in ended.value.format_message()


def test_who_says_no_has_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, as elsewhere nobody is asked."""
    monkeypatch.setattr(
        "redis_sentinel_operator.cli.acts.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    monkeypatch.setattr(Api, "cluster", lambda *_: healthy())
    monkeypatch.setattr(Api, "__init__", lambda self, _: None)
    monkeypatch.setattr(Api, "close", lambda _: None)
    done = CliRunner().invoke(rsc, ["recover", "redis-cluster", "redis_slave01"], input="n\n", standalone_mode=False)
    assert isinstance(done.exception, CliError)
    assert done.exception.format_message() == "nothing was asked for"
    assert done.exception.exit_code == NOT_DONE
    assert "Writes that redis_slave01 does not have are lost. Go on? [y/N]: n" in done.output
