"""A table on a terminal, whose rows are shown as soon as they are measured."""

import click


def show_row(first: str, *cells: str, first_width: int, width: int) -> None:
    click.echo(first.ljust(first_width) + "".join(cell.rjust(width) for cell in cells))
