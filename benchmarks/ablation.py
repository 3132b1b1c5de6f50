"""
What each part of the control is worth: python -m benchmarks.ablation --traces FOLDER

Our loop as it is, and with each of its parts taken back or replaced, on the traces of
`benchmarks.policies`. Regret is against the clairvoyants in the file that that one leaves; without
them there is none. Results go to the same file, so that Ctrl-C loses only what is under way.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import click

from benchmarks.policies.cache import Cache, Key, Record, write
from benchmarks.policies.cases import CASES, HOURS
from benchmarks.policies.found import CaseFound, with_regret
from benchmarks.policies.runs import FIRST_SEED, Runs, sources_of
from benchmarks.policies.sources import digest_of
from benchmarks.policies.tables import markdown, number, percent
from infadapter.progress import Progress, in_one_sentence
from infadapter_forecasting import QuantileNetwork
from infadapter_operator.planning.need import Floats
from infadapter_operator.planning.rates import rate_now_rps
from infadapter_operator.service import ForecastMethod, Service
from infadapter_simulator.jobs import Job, Jobs, do_all
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.naming import OURS
from infadapter_simulator.policies.ours import LOOK_S, Ours, service_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.world import SimulatedPod, World
from infadapter_solver import Allocation, Variant

NETWORK_HORIZON_S = 5
"""The shortest of the network's own."""

LEARNT = 0.95
"""Of a pod's full speed, what a headroom that was learnt might come to."""

CHURN = ("started", "resized", "removed")
PREFIX = "ablation: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different from the control as it is."""

    title: str
    service: Callable[[Scenario, Service], Service] = lambda scenario, service: service
    patches: Mapping[str, object] = field(default_factory=dict)
    look_s: float = LOOK_S


def _with(**fields: object) -> Callable[[Scenario, Service], Service]:
    return lambda scenario, service: replace(service, **fields)  # type: ignore[arg-type]


def _learnt(scenario: Scenario, service: Service) -> Service:
    """Capacities as if it were known how far pods may be filled."""

    def known(variant: Variant, allocation: Allocation) -> Allocation:
        most_rps = LEARNT * scenario.speed(variant.name, allocation).most_rps
        return replace(allocation, capacity_rps=max(allocation.capacity_rps, most_rps))

    variants = tuple(
        replace(variant, allocations=tuple(known(variant, a) for a in variant.allocations))
        for variant in service.variants
    )
    return replace(service, variants=variants)


@cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()


def _by_network(rates: Floats, slo_s: float, now_rps: float, sureness: float) -> float:
    return max(now_rps, float(_network().predict(rates, NETWORK_HORIZON_S, [sureness])[0]))


_OPERATOR = "infadapter_operator"
NO_BRIDGE = {f"{_OPERATOR}.acting.next_steps.is_short": lambda ground: False}
NO_TREND = {
    f"{_OPERATOR}.reconcile.rate_soon_rps": rate_now_rps,
    f"{_OPERATOR}.planning.demands.rate_soon_rps": rate_now_rps,
}
OLD_FORECAST = {"forecast": ForecastMethod.LAST_MAXIMUM, "horizon_s": 60.0}

CHANGES = {
    "as-is": Change(title="as it is"),
    "no-bridge": Change(title="no bridge while pods start", patches=NO_BRIDGE),
    "no-trend": Change(title="the rate of now, no trend", patches=NO_TREND),
    "fixed-quantile": Change(
        title="always the quantile 0.95",
        patches={
            f"{_OPERATOR}.planning.demands.worthwhile_sureness": lambda service, rps: (
                service.quantile
            )
        },
    ),
    "last-maximum": Change(title="LastMaximum over 60 s", service=_with(**OLD_FORECAST)),
    "interval": Change(title="a plan every 30 s", service=_with(interval_s=30.0)),
    "stabilisation": Change(title="kept for 120 s", service=_with(stabilization_s=120.0)),
    "look-2": Change(title="a look every 2 s", look_s=2.0),
    "look-5": Change(title="a look every 5 s", look_s=5.0),
    "all-old": Change(
        title="all of these (look 2 s)",
        service=_with(**OLD_FORECAST, interval_s=30.0, stabilization_s=120.0),
        patches={**NO_BRIDGE, **NO_TREND},
        look_s=2.0,
    ),
    "network": Change(
        title="not in: the quantile network for the near need",
        patches={f"{_OPERATOR}.planning.demands.needed_soon_rps": _by_network},
    ),
    "learnt": Change(
        title=f"not in: capacities of at least {LEARNT:g} of the full speed", service=_learnt
    ),
}


@contextmanager
def _counted_resizes() -> Iterator[list[str]]:
    """The pods whose size is asked to change."""
    asked: list[str] = []
    resize = World.resize

    def counted(world: World, pod: SimulatedPod, allocation: Allocation) -> None:
        if not pod.gone and pod.wanted.size != allocation.size:
            asked.append(pod.name)
        resize(world, pod, allocation)

    with patch.object(World, "resize", counted):
        yield asked


def run_one(
    path: Path, name: str, key: Key, scenario: Scenario, workload: Workload, seed: int
) -> None:
    began_s = time.process_time()
    change = CHANGES[name]
    service = change.service(scenario, service_of(scenario))
    policy = Ours(service=service, look_s=change.look_s, loop=_loop())
    with ExitStack() as patched:
        for target, replacement in change.patches.items():
            patched.enter_context(patch(target, replacement))
        resized = patched.enter_context(_counted_resizes())
        world = simulate(policy, scenario, workload, seed)
    started = sum(held.at_s > 0 for held in {h.slot: h for h in reversed(world.held)}.values())
    removed = len(world.variant_of_slots()) - sum(not pod.leaving for pod in world.pods)
    hours = workload.seconds / 3600
    churn = dict(zip(CHURN, (started / hours, len(resized) / hours, removed / hours), strict=True))
    values = {**asdict(measured(world)), **churn}
    cpu_s = time.process_time() - began_s
    write(path, Record(key=key, seed=seed, candidate=name, cpu_s=cpu_s, values=values))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all runs of a process: each would keep its files and threads open."""
    return asyncio.new_event_loop()


def _key(runs: Runs, name: str) -> Key:
    made_of = digest_of(sources_of(OURS), Path(__file__).read_text())
    return replace(runs.key(OURS, 0), policy=f"{PREFIX}{name}", sources=made_of)


@click.command()
@click.option(
    "--traces",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with twitter2021, autothrottle and azure_llm_2023.",
)
@click.option("--only", metavar="NAME,…", help=f"Of {', '.join(HOURS)}.")
@click.option("--changes", metavar="NAME,…", help=f"Of {', '.join(CHANGES)}.")
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option(
    "--cache",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="policies.jsonl",
    show_default=True,
)
def main(traces: Path, only: str | None, changes: str | None, seeds: int, path: Path) -> None:
    """Each part of the control taken back, one by one."""
    names = _chosen(only, HOURS)
    changed = _chosen(changes, tuple(CHANGES))
    cache = Cache(path)
    cache.read()
    found: dict[str, dict[str, list[tuple[Measures, Record]]]] = {name: {} for name in changed}
    for case in names:
        began_s = time.monotonic()
        with in_one_sentence():
            _run(case, changed, traces, cache, range(FIRST_SEED, FIRST_SEED + seeds), found)
        click.echo(f"{case}: {time.monotonic() - began_s:.0f} s", err=True)
    click.echo(_table(found, seeds))


def _chosen(text: str | None, known: Sequence[str]) -> Sequence[str]:
    names = text.split(",") if text else known
    for name in names:
        if name not in known:
            raise click.UsageError(f"There is no {name!r}: choose {', '.join(known)}.")
    return names


def _run(
    case: str,
    changed: Sequence[str],
    traces: Path,
    cache: Cache,
    seeds: Sequence[int],
    found: dict[str, dict[str, list[tuple[Measures, Record]]]],
) -> None:
    part = CASES[case].read(traces)
    runs = Runs(CASES[case], part, cache)
    keys = {name: _key(runs, name) for name in changed}
    jobs = tuple(
        Job(scenario=0, seed=seed, work=partial(run_one, cache.path, name, key))
        for seed in seeds
        for name, key in keys.items()
        if (key, seed) not in cache.records
    )
    if jobs:
        do_all(Jobs(part=part, scenarios=(runs.scenario,), jobs=jobs), Progress())
        cache.read()
    yardsticks = CaseFound(CASES[case], cache).yardsticks()
    for name, key in keys.items():
        records = [cache.records[key, seed] for seed in seeds]
        found[name][case] = list(zip(with_regret(records, yardsticks), records, strict=True))


def _table(found: Mapping[str, Mapping[str, Sequence[tuple[Measures, Record]]]], seeds: int) -> str:
    head = (
        "control",
        "regret, %",
        "worst (trace)",
        "violations, %",
        "worst (trace)",
        "objective",
        *(f"{what} per hour" for what in ("pods started", "resizes", "pods removed")),
    )
    rows = []
    for name, by_case in found.items():
        violations = _by_case(by_case, lambda m: m.violations)
        regrets = _by_case(by_case, lambda m: m.regret)
        objectives = _by_case(by_case, lambda m: m.objective)
        churn = [
            fmean(record.values[what] or 0.0 for runs in by_case.values() for _, record in runs)
            for what in CHURN
        ]
        rows.append(
            [
                CHANGES[name].title,
                *_mean_and_worst(regrets),
                *_mean_and_worst(violations),
                number(fmean(objectives.values()), 4),
                *(number(value, 0) for value in churn),
            ]
        )
    traces = len(next(iter(found.values())))
    said = f"Means over the traces ({traces}), by seed ({seeds})."
    return f"{markdown(head, rows)}\n\n{said}"


def _by_case(
    by_case: Mapping[str, Sequence[tuple[Measures, Record]]],
    measure: Callable[[Measures], float | None],
) -> dict[str, float]:
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


if __name__ == "__main__":
    main()
