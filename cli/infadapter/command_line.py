"""
The command `infadapter`, also `kubectl infadapter`.

Each command is imported when it is called, so that `infadapter solve` needs neither torch nor a web
server. A command that is not installed says which extra to install. Errors are one sentence.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import click

from infadapter.late_commands import Entry, LateCommands

COMMANDS = {
    "demo": Entry(
        "infadapter.commands.demo",
        "demo",
        "Adapt real model servers on this machine to a trace, and report.",
        extras="local,operator,server",
    ),
    "forecast": Entry(
        "infadapter.commands.forecast",
        "forecast",
        "Backtest forecasts on a trace, or train a network for a service.",
        extras="forecast",
    ),
    "profile": Entry(
        "infadapter.commands.profile",
        "profile",
        "Measure a running server and write a VariantProfile.",
        extras="operator,profile",
    ),
    "reproduce": Entry(
        "infadapter.commands.reproduce",
        "reproduce",
        "Repeat a published evaluation beside its figures.",
        extras="server,simulator",
    ),
    "schedule": Entry(
        "infadapter.commands.schedule",
        "schedule",
        "Replay arrivals at the scheduler of a pod, in virtual time.",
    ),
    "simulate": Entry(
        "infadapter.commands.simulate",
        "simulate",
        "Replay a trace against the loop and other autoscalers, in virtual time.",
        extras="operator,simulator",
    ),
    "solve": Entry(
        "infadapter.commands.solve",
        "solve",
        "Pick variants, sizes and shares for one demand.",
    ),
    "sushi": Entry(
        "infadapter.commands.sushi",
        "sushi",
        "Replay queries at a scheduler of SubNets and a cache of SubGraphs.",
    ),
    "trace": Entry(
        "infadapter.commands.trace",
        "trace",
        "Show, plot or convert a trace, and how its file is read.",
        extras="simulator",
    ),
    "what-if": Entry(
        "infadapter.commands.what_if",
        "what_if",
        "Replay a trace against the loop under several SLOs, budgets or weights.",
        extras="operator,simulator",
    ),
}

BAD_ARGUMENTS, INTERRUPTED = 2, 130


class Commands(LateCommands):
    """The group of COMMANDS; every error is one sentence."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            return super().get_command(ctx, cmd_name)
        except ModuleNotFoundError as missing:
            raise _not_installed(cmd_name, missing) from missing

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:  # of what is imported when it is needed
            raise _not_installed(str(ctx.invoked_subcommand), missing) from missing

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run like click's main, but print errors as one sentence without a traceback."""
        extra["standalone_mode"] = False
        try:
            status = super().main(args, *rest, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.message, err=True)
            status = BAD_ARGUMENTS
        except click.ClickException as error:
            click.echo(f"infadapter: {error.format_message()}", err=True)
            status = error.exit_code
        except click.Abort:
            click.echo("Interrupted.", err=True)
            status = INTERRUPTED
        except OSError as error:
            click.echo(f"infadapter: {_sentence(error)}", err=True)
            status = 1
        sys.exit(status if isinstance(status, int) else 0)


def _sentence(error: OSError) -> str:
    return f"{': '.join(str(part) for part in (error.filename, error.strerror) if part) or error}."


def _not_installed(name: str, missing: ModuleNotFoundError) -> click.ClickException:
    return click.ClickException(
        f"infadapter {name} needs {missing.name}, which is not installed: "
        f"pip install 'infadapter[{COMMANDS[name].extras}]'."
    )


@click.command(
    "infadapter",
    cls=Commands,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("infadapter"), prog_name="infadapter")
def main() -> None:
    """Choose model variants, their CPU or GPU and traffic: the best accuracy for the cost."""
