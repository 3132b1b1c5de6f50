"""A comparison as a table for a terminal, by falling objective."""

from collections.abc import Sequence

from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.compare.results import Comparison, Result
from infadapter_simulator.report.columns import COLUMNS, cell, ranked
from infadapter_simulator.report.facts import beaten
from infadapter_simulator.report.words import bound_sentence, load_sentence

MARK = "* "
_BETWEEN = "  "


def as_table(comparison: Comparison, width: int | None = None) -> str:
    """Return the table; `width` is the terminal's, if there is one."""
    results = ranked(comparison.results)
    head = ["  policy", *(column.title for column in COLUMNS)]
    rows = [[_name(result), *(cell(result, column) for column in COLUMNS)] for result in results]
    chosen = [
        f"{result.name}: {', '.join(dict.fromkeys(result.chosen))}, chosen in hindsight."
        for result in results
        if result.chosen
    ]
    after = [bound_sentence(comparison), *chosen, *beaten(comparison)]
    return "\n".join(
        [
            load_sentence(comparison.part, comparison.seeds, comparison.bounds),
            "",
            *aligned([head, *rows], width),
            "",
            *after,
        ]
    )


def aligned(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """
    Align the first column left and all others right. Columns beyond `width` continue below, again
    with the first column.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    blocks = [_block(rows, widths, columns) for columns in _split(widths, width)]
    return [line for at, block in enumerate(blocks) for line in (*([""] if at else []), *block)]


def _split(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Return groups of columns that fit beside the first one; each has at least one."""
    blocks: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        taken = sum(widths[each] + len(_BETWEEN) for each in blocks[-1]) + widths[column]
        if width is not None and taken > width and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(column)
    return blocks


def _block(
    rows: Sequence[Sequence[str]], widths: Sequence[int], columns: Sequence[int]
) -> list[str]:
    return [
        _BETWEEN.join(
            row[at].rjust(widths[at]) if at else row[at].ljust(widths[at]) for at in columns
        ).rstrip()
        for row in rows
    ]


def _name(result: Result) -> str:
    return (MARK if result.name == OURS else "  ") + result.name
