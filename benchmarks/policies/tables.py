"""The tables of docs/results.md."""

from collections.abc import Sequence
from statistics import fmean

from benchmarks.policies.cache import Cache
from benchmarks.policies.cases import DAYS, SLICE, UNSEEN
from benchmarks.policies.found import Answer, CaseFound, all_found
from infadapter_simulator.compare.naming import OURS, STATIC_BEST
from infadapter_simulator.compare.results import Result
from infadapter_simulator.report.means import half_width, mean
from infadapter_simulator.scenario import Server

VIOLATIONS, VIOLATIONS_OF_FEW, FEW_RPS = 0.003, 0.01, 10.0
REGRET, REGRET_OF_SLICE, MEAN_REGRET = 0.015, 0.02, 0.01
EVEN = 0.002
"""So near, a set of pods that was chosen in hindsight counts as even."""

RIVALS = {
    "infadapter-paper": ("infadapter-paper",),
    "ms-plus": ("ms-plus",),
    "best VPA": ("vpa", "vpa-plus"),
    "best HPA": ("hpa-cpu", "hpa-rps"),
    "best KPA": ("kpa",),
    "best KEDA": ("keda",),
    STATIC_BEST: (STATIC_BEST,),
    "proteus": ("proteus",),
    "ipa": ("ipa",),
}


def report(cache: Cache) -> str:
    found = all_found(cache)
    days = [one for one in found if one.case.name in DAYS]
    unseen = [one for one in found if one.case.name in UNSEEN]
    same = [one for one in found if one.case.server is Server.SAME and one not in days + unseen]
    own = [one for one in found if one.case.server is Server.PUBLISHED]
    parts = []
    if same:
        parts += [_ours_table("Ours", same), _rivals_table("The same server for all", same)]
    if own:
        parts.append(_rivals_table("Each on its own published server", own))
    if unseen:
        parts += [_ours_table("On traces that nobody looked at before", unseen)]
        parts += [_rivals_table("On traces that nobody looked at before", unseen)]
    if days:
        parts += [_ours_table("The fortnight", days), _rivals_table("A whole day", days)]
    stale = [one.case.name for one in found if one.is_stale]
    if stale:
        parts.append(f"Of earlier sources, at least in part: {', '.join(stale)}.")
    return "\n\n".join(parts) or "Nothing was run yet."


def _ours_table(title: str, found: Sequence[CaseFound]) -> str:
    head = (
        "trace",
        "mean rps",
        "violations (max), %",
        "regret, %",
        "cores",
        "objective",
        "best schedule: objective",
        "its violations, %",
        "no policy above",
        "unavoidable, %",
        "missed",
    )
    rows = [_ours_row(one) for one in found]
    regrets = [r for one in found if (r := mean(one.ours(), "regret")) is not None]
    said = [
        f"Wanted: violations ≤ {percent(VIOLATIONS)} % ({percent(VIOLATIONS_OF_FEW)} % below "
        f"{FEW_RPS:g} rps), regret ≤ {percent(REGRET)} % ({percent(REGRET_OF_SLICE)} % on the "
        f"21 min), {percent(MEAN_REGRET)} % over all, of the best schedule in hindsight."
    ]
    if any(one.case.name in DAYS for one in found):
        said.append("On whole days, only the settings that were good on one of two hours.")
    if regrets:
        missed = " (**missed**)" if fmean(regrets) > MEAN_REGRET else ""
        said.insert(0, f"Mean regret over the traces: {percent(fmean(regrets))} %{missed}.")
    return "\n\n".join([f"### {title}", markdown(head, rows), *said])


def _ours_row(found: CaseFound) -> list[str]:
    ours, hindsight = found.ours(), found.hindsight()
    most = max(measures.violations for measures in ours.measures)
    row = [
        _title(found, len(ours.measures)),
        number(found.mean_rps, 1),
        f"{_interval(ours, 'violations')} ({percent(most)})",
        _interval(ours, "regret"),
        number(mean(ours, "mean_cores"), 2),
        number(mean(ours, "objective"), 4),
    ]
    if hindsight:
        row += [number(mean(hindsight, "objective"), 4), percent(mean(hindsight, "violations"))]
    else:
        row += ["–", "–"]
    row += [number(found.upper, 4), percent(found.unavoidable)]
    return [*row, "; ".join(_missed(found, ours))]


def _missed(found: CaseFound, ours: Result) -> list[str]:
    few = (found.mean_rps or FEW_RPS) < FEW_RPS
    violations, regret = mean(ours, "violations") or 0.0, mean(ours, "regret")
    missed = []
    if violations > (VIOLATIONS_OF_FEW if few else VIOLATIONS):
        missed.append("**violations**")
    if regret is not None and regret > (REGRET_OF_SLICE if found.case.name == SLICE else REGRET):
        missed.append("**regret**")
    if found.beaten():
        missed.append(f"a better search ({found.beaten()} of {len(ours.measures)} seeds)")
    return missed


def _rivals_table(title: str, found: Sequence[CaseFound]) -> str:
    rows = []
    for one in found:
        ours = one.best_of([OURS])
        others = {name: one.best_of(kinds) for name, kinds in RIVALS.items()}
        if ours and any(others.values()):
            rows.append(_rivals_row(one, ours, others))
    head = ("trace", OURS, *RIVALS, "ours is not the highest")
    return "\n\n".join(
        [
            f"### {title}: objective (violations, %)",
            markdown(head, rows),
            f"All on the same seeds. The best of a kind was chosen in hindsight, over all five "
            f"variants and all settings, for the whole trace. Within {EVEN:g}, {STATIC_BEST}, "
            f"whose pods are chosen in hindsight, counts as even.",
        ]
    )


def _rivals_row(found: CaseFound, ours: Answer, others: dict[str, Answer | None]) -> list[str]:
    seeds = len(found.rival_seeds())
    better = [
        name
        for name, other in others.items()
        if other and other.objective - ours.objective > (EVEN if name == STATIC_BEST else 0.0)
    ]
    cells = [_answer(name, other) for name, other in others.items()]
    marked = f"**{', '.join(better)}**" if better else ""
    return [_title(found, seeds), _answer(OURS, ours), *cells, marked]


def _answer(name: str, answer: Answer | None) -> str:
    if answer is None:
        return "–"
    text = f"{answer.objective:.4f} ({percent(answer.violations)})"
    chosen = answer.choice.removeprefix("static-")
    return text if answer.choice == name else f"{text} {chosen}"


def _title(found: CaseFound, seeds: int) -> str:
    return f"{found.case.title} ({seeds} seed{'s' if seeds != 1 else ''})"


def _interval(result: Result, measure: str) -> str:
    width = half_width(result, measure)
    text = percent(mean(result, measure))
    return text if width is None else f"{text} ± {percent(width)}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
