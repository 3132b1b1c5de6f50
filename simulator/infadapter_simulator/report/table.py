"""A comparison as a table for a terminal, the highest objective first."""

from collections.abc import Sequence

from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.compare.results import Comparison, Result
from infadapter_simulator.report.columns import COLUMNS, cell, ranked
from infadapter_simulator.report.facts import beaten
from infadapter_simulator.report.words import bound_sentence, load_sentence

MARK = "* "


def as_table(comparison: Comparison) -> str:
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
            *aligned([head, *rows]),
            "",
            *after,
        ]
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if at else text.ljust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _name(result: Result) -> str:
    return (MARK if result.name == OURS else "  ") + result.name
