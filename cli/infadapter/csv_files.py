"""Parse users' tables of numbers and names, with errors of one sentence."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

LONGEST_LINE = 2**20
"""Longest line, bytes: a device may have no line end at all."""


class BadFile(ValueError):
    """One sentence about what is wrong where."""


def rows_of(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield rows with their line numbers, with at least these columns. Raises BadFile."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(_lines(file, path))
            names = reader.fieldnames or ()
            for name in names:
                if name and names.count(name) > 1:
                    raise BadFile(f"{path} has two columns {name!r}: name each once.")
            missing = [name for name in needed if name not in names]
            if missing:
                raise BadFile(f"{path} has no column {missing[0]}: it needs {', '.join(needed)}.")
            for cells in reader:
                yield reader.line_num, _whole(cells, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise BadFile(f"{path} can't be read: {reason}.") from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Yield lines. Raises BadFile."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise BadFile(f"{path} can't be read: a line has {LONGEST_LINE:,} letters or more.")
        yield line


def _whole(cells: dict[str, str], where: str) -> dict[str, str]:
    if None in cells or None in cells.values():
        raise BadFile(f"{where} has more or fewer cells than the header.")
    return cells


def number_of(
    cells: Mapping[str, str], column: str, where: str, least: float, most: float
) -> float:
    """Parse a number within limits; NaN is not one. Raises BadFile."""
    text = cells[column].strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadFile(f"{where}: {column} is {text!r}, no number from {least:g} to {most:g}.")
    return value
