"""Options that reproductions share: each is said once, so that they stay alike."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from infadapter.files import check_folder

FOLDER = Path("reproduction")


def _checked(ctx: click.Context, option: click.Parameter, folder: Path) -> Path:
    check_folder(folder)
    return folder


quick = click.option(
    "--quick", is_flag=True, help="A few seconds' work: how it looks, not what it is."
)
seed = click.option(
    "--seed", type=click.IntRange(0), metavar="NUMBER", default=1, show_default=True
)
output = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=FOLDER,
    show_default=True,
    callback=_checked,
    help="Where the pictures go.",
)
as_format = click.option(
    "--format", type=click.Choice(["table", "json"]), default="table", show_default=True
)


def say(text: Callable[[], str], facts: Any, format: str, pictures: Sequence[Path]) -> None:
    """What was found on stdout, as a table or as JSON; where the pictures are on stderr."""
    as_json = format == "json"
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False) if as_json else text())
    what = "The picture is" if len(pictures) == 1 else "The pictures are"
    click.echo(f"{what} {', '.join(map(str, pictures))}", err=True)
