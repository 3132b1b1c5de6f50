"""Sweep of one option: our policy's results for each of its values."""

import json
from dataclasses import dataclass

from infadapter_simulator.compare.results import Bounds, Result
from infadapter_simulator.part import Part
from infadapter_simulator.report.columns import COLUMNS, Column, cell
from infadapter_simulator.report.facts import policy_facts
from infadapter_simulator.report.means import mean
from infadapter_simulator.report.table import aligned
from infadapter_simulator.report.words import load_sentence, percent

_LEFT_OUT = ("regret", "regret_at_most", "accuracy_loss_points")
_LAST = Column("mean cost", "mean_cost", 1, 2, "", "the price of what was held, a core being 1")

SWEEP_COLUMNS = (*(column for column in COLUMNS if column.measure not in _LEFT_OUT), _LAST)


_NOT_COMPARABLE = "The objectives weigh cost differently and can't be compared with each other."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Results by value, in the order given."""

    option: str
    comparable: bool  # the objective means the same for all values
    title: str  # the option in words
    unit: str
    accuracy_floor: float
    values: tuple[float, ...]
    results: tuple[Result, ...]
    part: Part
    seeds: tuple[int, ...]
    bounds: tuple[Bounds, ...]


def sweep_rows(sweep: Sweep) -> list[list[str]]:
    """Return the rows; the first has the columns' names."""
    head = [f"{sweep.title}, {sweep.unit}" if sweep.unit else sweep.title]
    rows = [
        [f"{value:g}", *(cell(result, column) for column in SWEEP_COLUMNS)]
        for value, result in zip(sweep.values, sweep.results, strict=True)
    ]
    return [[*head, *(column.title for column in SWEEP_COLUMNS)], *rows]


def sweep_table(sweep: Sweep, width: int | None = None) -> str:
    """Return the table; `width` is the terminal's, if there is one."""
    load = load_sentence(sweep.part, sweep.seeds, sweep.bounds)
    return "\n".join([load, "", *aligned(sweep_rows(sweep), width), "", sweep_headline(sweep)])


def sweep_json(sweep: Sweep) -> str:
    document = {
        "trace": sweep.part.trace.name,
        "from_s": sweep.part.from_s,
        "seconds": sweep.part.seconds,
        "accuracy_floor": sweep.accuracy_floor,
        "option": sweep.option,
        "values": [
            {"value": value, **policy_facts(result)}
            for value, result in zip(sweep.values, sweep.results, strict=True)
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def sweep_headline(sweep: Sweep) -> str:
    """Return a sentence from the smallest to the largest value; others may have been refused."""
    order = sorted(zip(sweep.values, sweep.results, strict=True), key=lambda pair: pair[0])
    if len(order) == 1:
        return f"{sweep.title}: {_said(sweep, *order[0])}."
    said = f"{sweep.title}: {_said(sweep, *order[0])}, and {_said(sweep, *order[-1])}."
    return said if sweep.comparable else f"{said} {_NOT_COMPARABLE}"


def _said(sweep: Sweep, value: float, result: Result) -> str:
    return (
        f"{value:g}{' ' + sweep.unit if sweep.unit else ''} gives "
        f"{percent(result, 'effective_accuracy')} effective accuracy "
        f"on {mean(result, 'mean_cores') or 0:.1f} cores "
        f"with {percent(result, 'violations')} violations"
    )
