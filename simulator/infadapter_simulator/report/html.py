"""A comparison as one self-contained HTML page."""

from collections.abc import Mapping
from importlib.metadata import version

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from infadapter_simulator.compare.naming import HINDSIGHT, OURS
from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.report import plots, words
from infadapter_simulator.report.columns import COLUMNS, cell, ranked
from infadapter_simulator.report.facts import beaten
from infadapter_simulator.report.pareto import pareto_plot
from infadapter_simulator.report.pictures import as_svg
from infadapter_simulator.report.sweep import (
    SWEEP_COLUMNS,
    Sweep,
    sweep_headline,
    sweep_rows,
)
from infadapter_simulator.report.sweep_plot import sweep_plot
from infadapter_simulator.series import Series
from infadapter_solver import CPU

SHOWN = 4
"""Number of policies with pictures of their own."""

_TEMPLATES = Environment(
    loader=PackageLoader("infadapter_simulator", "report"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def as_page(comparison: Comparison) -> str:
    """Return the page. The comparison must have series."""
    results = ranked(comparison.results)
    return _TEMPLATES.get_template("page.html.j2").render(
        title=f"Policies on {comparison.part.trace.name}",
        comparison=comparison,
        scenario=comparison.scenario,
        load=words.load_sentence(comparison.part, comparison.seeds, comparison.bounds),
        headline=words.headline(comparison),
        bound=words.bound_sentence(comparison),
        columns=COLUMNS,
        rows=[(result, [cell(result, column) for column in COLUMNS]) for result in results],
        ours=OURS,
        explained=[(result.name, words.explained(result)) for result in results],
        notes=[*comparison.part.trace.notes, *beaten(comparison)],
        pictures=[(title, text, Markup(svg)) for title, text, svg in _pictures(comparison)],
        version=version("infadapter"),
    )


def sweep_page(sweep: Sweep) -> str:
    head, *rows = sweep_rows(sweep)
    return _TEMPLATES.get_template("sweep.html.j2").render(
        title=f"What if: {sweep.title}",
        load=words.load_sentence(sweep.part, sweep.seeds, sweep.bounds),
        headline=sweep_headline(sweep),
        accuracy_floor=sweep.accuracy_floor,
        head=head,
        rows=rows,
        columns=SWEEP_COLUMNS,
        picture=Markup(as_svg(sweep_plot(sweep))),
        version=version("infadapter"),
    )


def shown(comparison: Comparison) -> Mapping[str, Series]:
    """
    Return the series to draw: ours, then those with the highest objectives, without hindsight.
    """
    order = sorted(
        ranked(comparison.results),
        key=lambda result: (result.name != OURS, result.name == HINDSIGHT),
    )
    return {result.name: result.series for result in order[:SHOWN] if result.series}


def _pictures(comparison: Comparison) -> list[tuple[str, str, str]]:
    series = shown(comparison)
    first = next(iter(series.values()))
    scenario = comparison.scenario
    offered = [variant.name for variant in sorted(scenario.variants, key=lambda v: v.accuracy)]
    held = [name for each in series.values() for name in each.cores]
    variants = list(dict.fromkeys([*offered, *held]))
    budget = scenario.budget.get(CPU, 0) / 1000
    found = [
        (
            "Accuracy for cores",
            "Up and to the left is better; the colour says how many requests that left out.",
            pareto_plot(comparison.results),
        ),
        ("Load", f"What arrived, the mean of each {first.bin_s:.0f} s.", plots.load_plot(first)),
        (
            "Cores by variant",
            "Held from a pod's creation to its end; above the budget while pods are replaced.",
            plots.cores_plot(series, variants, budget),
        ),
        (
            "Planned accuracy",
            "Of the variants that the traffic is split among, weighted with their shares; "
            "of what was answered, where pods have operating points.",
            plots.accuracy_plot(series),
        ),
        (
            "Violations",
            f"Late, refused or failed, of what arrived within {first.bin_s:.0f} s.",
            plots.violations_plot(series),
        ),
    ]
    return [(title, text, as_svg(figure)) for title, text, figure in found]
