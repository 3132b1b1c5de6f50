"""A run's state at one moment, as numbers; `view` draws it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infadapter_local.measures import accuracies
from infadapter_local.run import Run
from infadapter_local.workload import LEAD_IN_S
from infadapter_operator.domain.observed import Observed
from infadapter_workload.outcomes import Outcome, accuracy_in_time, percentile

RECENT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantNow:
    name: str
    accuracy: float
    pods: int
    ready: int
    millicores: int  # held, terminating pods included
    share: float  # of the traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One moment of a run; None where a value is unknown."""

    title: str
    at_s: float  # of the trace; below 0 in the lead-in
    duration_s: float
    loads_rps: Sequence[float]  # as counted by the router so far, from second 0
    load_rps: float | None
    forecast_rps: float | None
    planned_rps: float | None
    capacity_rps: float
    variants: Sequence[VariantNow]
    p50_ms: float | None
    p99_ms: float | None
    slo_ms: float
    effective_accuracy: float | None
    violations: float | None
    mean_cores: float | None
    why: str
    points: Mapping[str, float] = field(default_factory=dict)  # of recent answers, by point


@dataclass(slots=True)
class Tally:
    """Running sums, since a run has thousands of requests."""

    run: Run
    _seen: int = 0
    _arrived: int = 0
    _in_time: int = 0
    _worth: float = 0.0
    _core_seconds: float = 0.0
    _ticks: int = 0
    _load: list[float] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        self._take_outcomes()
        self._take_ticks()
        run, tick = self.run, self.run.ticks[-1]
        decision = tick.cycle.decision
        elapsed_s = tick.at_s - LEAD_IN_S
        answered = [o for o in _recent(run.outcomes, tick.at_s) if o.answered]
        recent = [1000 * o.latency_s for o in answered]
        return Snapshot(
            title=run.title,
            at_s=elapsed_s,
            duration_s=run.workload.duration_s,
            loads_rps=tuple(self._load),
            load_rps=tick.cycle.load_rps,
            forecast_rps=tick.cycle.forecast_rps,
            planned_rps=decision.demand_rps if decision else None,
            capacity_rps=tick.cycle.ready_capacity_rps,
            variants=_variants(run),
            p50_ms=percentile(recent, 50),
            p99_ms=percentile(recent, 99),
            slo_ms=1000 * run.service.slo_s,
            effective_accuracy=self._worth / self._arrived if self._arrived else None,
            violations=1 - self._in_time / self._arrived if self._arrived else None,
            mean_cores=self._core_seconds / elapsed_s if elapsed_s > 0 else None,
            why=decision.why[0] if decision and decision.why else "",
            points=_points(answered),
        )

    def _take_outcomes(self) -> None:
        accuracy = accuracies(self.run.service)
        slo_s = self.run.service.slo_s
        for outcome in self.run.outcomes[self._seen :]:
            if outcome.scheduled_s >= LEAD_IN_S:
                self._arrived += 1
                self._in_time += outcome.in_time(slo_s)
                self._worth += accuracy_in_time((outcome,), accuracy, slo_s)
        self._seen = len(self.run.outcomes)

    def _take_ticks(self) -> None:
        for number in range(self._ticks, len(self.run.ticks)):
            tick = self.run.ticks[number]
            before_s = self.run.ticks[number - 1].at_s if number else tick.at_s
            begin_s = max(before_s, LEAD_IN_S)
            millicores = sum(tick.millicores.values())
            self._core_seconds += max(0.0, tick.at_s - begin_s) * millicores / 1000
            if tick.at_s >= LEAD_IN_S:
                self._load.append(tick.cycle.load_rps or 0.0)
        self._ticks = len(self.run.ticks)


def _variants(run: Run) -> list[VariantNow]:
    tick = run.ticks[-1]
    observed = tick.cycle.observed or Observed()
    shares: Mapping[str, float] = {t.variant: share for t, share in tick.cycle.shares.items()}
    shown = []
    for variant in run.service.variants:
        pods = [pod for pod in observed.pods if pod.target.variant == variant.name]
        shown.append(
            VariantNow(
                name=variant.name,
                accuracy=variant.accuracy,
                pods=len(pods),
                ready=sum(pod.ready for pod in pods),
                millicores=tick.millicores.get(variant.name, 0),
                share=shares.get(variant.name, 0.0),
            )
        )
    return shown


def _points(answered: Sequence[Outcome]) -> Mapping[str, float]:
    counts = Counter(outcome.point for outcome in answered if outcome.point)
    return {name: counts[name] / len(answered) for name in sorted(counts)}


def _recent(outcomes: Sequence[Outcome], now_s: float) -> list[Outcome]:
    """Return the outcomes that ended recently; they arrive almost in that order."""
    found = []
    for outcome in reversed(outcomes):
        if outcome.done_s < now_s - RECENT_S - 1.0:
            break
        if outcome.done_s >= now_s - RECENT_S:
            found.append(outcome)
    return found
