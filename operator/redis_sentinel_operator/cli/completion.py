"""`kubectl rsc completion`: shell completion, for kubectl and for the program itself."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from redis_sentinel_operator.cli.options import examples

_VARIABLE = "_KUBECTL_RSC_COMPLETE"
_PROGRAM = "kubectl-rsc"
# What kubectl asks for the completion of a plugin: an executable of this name beside it. `kubectl rsc st<TAB>` comes as
# `kubectl_complete-rsc st`, and one word a line is the answer.
_FOR_KUBECTL = """\
#!/bin/sh
# Save as kubectl_complete-rsc in a directory of PATH, executable.
COMP_WORDS="kubectl-rsc $*" COMP_CWORD=$# _KUBECTL_RSC_COMPLETE=bash_complete kubectl-rsc | sed 's/^[^,]*,//'
echo :4
"""


@click.command(
    epilog=examples(
        "source <(kubectl rsc completion bash)",
        "kubectl rsc completion kubectl > ~/bin/kubectl_complete-rsc; chmod +x ~/bin/kubectl_complete-rsc",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "kubectl"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands.

    `kubectl` prints the helper by which kubectl itself completes `kubectl rsc ...`.
    """
    if shell == "kubectl":
        click.echo(_FOR_KUBECTL, nl=False)
        return
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - the choice has only those that click has
    click.echo(made(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
