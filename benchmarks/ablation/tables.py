"""The findings as Markdown: a row for each change."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from benchmarks.ablation.changes import CHANGES
from benchmarks.ablation.runs import CHURN, Found
from benchmarks.policies.tables import markdown, number, percent
from infadapter_simulator.measures import Measures

HEAD = (
    "control",
    "regret, %",
    "worst (trace)",
    "violations, %",
    "worst (trace)",
    "objective",
    "pods started per hour",
    "resizes per hour",
    "pods removed per hour",
)
ByCase = Mapping[str, Sequence[Found]]


def table(found: Mapping[str, ByCase], seeds: int) -> str:
    rows = [_row(CHANGES[name].title, by_case) for name, by_case in found.items()]
    traces = len(next(iter(found.values())))
    said = f"Means over the traces ({traces}), by seed ({seeds})."
    return f"{markdown(HEAD, rows)}\n\n{said}"


def _row(title: str, by_case: ByCase) -> list[str]:
    objectives = _means(by_case, lambda m: m.objective)
    churn = [
        fmean(record.values[what] or 0.0 for runs in by_case.values() for _, record in runs)
        for what in CHURN
    ]
    return [
        title,
        *_mean_and_worst(_means(by_case, lambda m: m.regret)),
        *_mean_and_worst(_means(by_case, lambda m: m.violations)),
        number(fmean(objectives.values()), 4),
        *(number(value, 0) for value in churn),
    ]


def _means(by_case: ByCase, measure: Callable[[Measures], float | None]) -> dict[str, float]:
    """Of each trace that has any."""
    found = {}
    for case, runs in by_case.items():
        values = [value for own, _ in runs if (value := measure(own)) is not None]
        if values:
            found[case] = fmean(values)
    return found


def _mean_and_worst(by_case: Mapping[str, float]) -> tuple[str, str]:
    if not by_case:
        return "–", "–"
    worst = max(by_case, key=lambda case: by_case[case])
    return percent(fmean(by_case.values())), f"{percent(by_case[worst])} ({worst})"
