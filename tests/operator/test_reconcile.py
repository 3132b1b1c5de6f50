"""The loop on a small simulated cluster in virtual time."""

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from infadapter_operator.domain.decision import Source
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History, NoData
from infadapter_operator.domain.observed import Cause, Observed, RouterView
from infadapter_operator.domain.ports import (
    PlatformUnavailable,
    Ports,
    QuotaExceeded,
    ResizeInfeasible,
    StepRefused,
)
from infadapter_operator.domain.service import ForecastMethod, Mode
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_operator.planning.due import is_due
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_operator.reporting.condition import Status
from infadapter_operator.reporting.signals import conditions_of
from infadapter_simulator.platform import SimulatedLoad
from infadapter_simulator.world.faults import Faults, Spell
from infadapter_solver.problem import PodGroup, Target
from tests.builders import LARGE, SMALL, a_service, recall, sizes
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import World


def blind(from_s: float, until_s: float = math.inf) -> Faults:
    return Faults(blind_s=((from_s, until_s),))


def a_world(rps: float = 12.0, **changes: object) -> World:
    return World(service=a_service(), load=lambda _: rps, **changes)  # type: ignore[arg-type]


def condition(seen: Cycle, name: str) -> tuple[Status, str]:
    found = next(c for c in conditions_of(seen) if c.type == name)
    return found.status, found.reason


def error_of(seen: Cycle) -> str | None:
    return seen.failure.reason if seen.failure else None


def taken(world: World, *kinds: type[Step]) -> list[Step]:
    return [step for _, step in world.taken if isinstance(step, kinds)]


async def test_comes_up_serves_and_rests() -> None:
    runner = Runner(world=a_world())
    await runner.run(60)
    last = runner.looks[-1]
    assert condition(last, "Ready") == (Status.TRUE, "Ready")
    assert condition(last, "Progressing") == (Status.FALSE, "AsPlanned")
    assert last.ready_capacity_rps >= 12.0
    assert sum(last.shares.values()) == pytest.approx(1.0)
    assert not any(seen.steps for seen in runner.looks[-20:])


async def test_plans_once_an_interval() -> None:
    runner = Runner(world=a_world())
    await runner.run(60)
    planned = [seen.now_s for seen in runner.looks if seen.is_solved]
    assert all(after - before >= 10.0 for before, after in itertools.pairwise(planned))
    assert len(planned) == 6


async def test_follows_the_load_up_and_down() -> None:
    service = a_service(quantile=0.5, cost_weight=1.0)  # hardly any reserve for jumps
    world = World(service=service, load=lambda at: 5.0 if not 2500 <= at < 2550 else 60.0)
    runner = Runner(world=world)
    await runner.run(1500)
    low_rps = world.carried_rps()
    await runner.run(50)
    assert world.carried_rps() >= 60.0
    await runner.run(250)
    assert world.carried_rps() == pytest.approx(low_rps, abs=10.0)


async def test_a_burst_does_not_wait_for_the_interval() -> None:
    world = World(service=a_service(interval_s=30.0), load=lambda at: 5.0 if at < 1111 else 60.0)
    runner = Runner(world=world)
    await runner.run(130)
    first = next(seen for seen in runner.looks if seen.now_s >= 1111 and seen.steps)
    assert first.now_s - 1111 <= 1.0
    assert first.is_solved
    assert isinstance(first.steps[0], ScaleUp | ResizePod)


@pytest.mark.parametrize("factor", [1.3, 1.5, 3.0])
async def test_capacity_is_written_within_five_seconds_of_a_noisy_load_above_it(
    factor: float,
) -> None:
    """At 40 rps, seconds vary by a sixth, so a smaller excess takes longer to detect."""
    noise = random.Random(7)
    service = a_service(interval_s=30.0, stabilization_s=120.0, horizon_s=60.0)
    rate = [40.0]
    seconds: dict[float, float] = {}

    def load(at: float) -> float:
        return seconds.setdefault(at, max(0.0, noise.gauss(rate[0], rate[0] ** 0.5)))

    world = World(service, load, began_s=999.0)
    runner = Runner(world=world)
    await runner.run(200)
    rate[0] = factor * runner.looks[-1].ready_capacity_rps
    began_s = world.now_s
    await runner.run(6)
    writes = [at for at, step in world.taken if isinstance(step, ScaleUp | ResizePod)]
    assert any(began_s <= at <= began_s + 5.0 for at in writes)


async def test_rests_under_a_noisy_but_steady_load() -> None:
    """Poisson arrivals at 20 rps, and sizes so fine that plans could follow all noise."""
    noise = random.Random(3)
    fine = replace(SMALL, allocations=sizes(20, *range(500, 4001, 100)))
    service = a_service(variants=(fine,), interval_s=30.0, stabilization_s=120.0, horizon_s=60.0)
    seconds: dict[float, float] = {}

    def load(at: float) -> float:
        return seconds.setdefault(at, float(_poisson(noise, 20.0)))

    world = World(service, load, began_s=999.0)
    runner = Runner(world=world, every_s=2.0)
    await runner.run(300)
    calm = await runner.run(150)
    assert not any(seen.steps for seen in calm)


def _poisson(noise: random.Random, rate: float) -> int:
    limit, product, count = math.exp(-rate), noise.random(), 0
    while product > limit:
        product *= noise.random()
        count += 1
    return count


async def test_shares_sum_to_one_also_while_the_router_names_a_pod_that_has_gone() -> None:
    world = a_world(rps=30.0)
    runner = Runner(world=world)
    await runner.run(60)
    assert len(world.weights) > 1
    world.vanish(world.pods[0])
    seen = await runner.look()
    assert sum(seen.shares.values()) == pytest.approx(1.0)


async def test_a_pod_stays_while_weights_that_were_superseded_may_still_name_it() -> None:
    """The router obeys weights late and in order, so those before the last may take effect."""
    service = a_service(interval_s=60.0, stabilization_s=60.0)
    world = World(service=service, load=lambda _: 5.0, confirm_s=4.0)
    stays = world.add("small", 1000)
    goes = world.add("middle", 500)
    size = next(a for a in SMALL.allocations if a.cpu_millicores == 1000)
    decision = recall(
        service,
        (PodGroup(target=Target("small"), allocation=size, pods=1),),
        demand_rps=5.0,
        decided_at_s=world.now_s,
    )
    world.route({stays.name: 1000}, at_once=True)
    world.route({stays.name: 500, goes.name: 500})
    runner = Runner(world=world, state=State(decision=decision))
    await runner.run(4.0)
    assert not taken(world, RemovePods)
    await runner.run(8.0)
    assert [step.pods for step in taken(world, RemovePods)] == [(goes.name,)]  # type: ignore[union-attr]


# --- no data -------------------------------------------------------------------------------------


async def test_missing_data_holds_the_plan() -> None:
    world = a_world(faults=blind(1060, 1200))
    runner = Runner(world=world)
    await runner.run(59)
    held = await runner.run(140)
    before = len(world.taken)
    assert error_of(held[-1]) == "QueryFailed"
    assert held[-1].decision is not None
    assert held[-1].decision.source is Source.HELD
    assert held[-1].state.data_missing_since_s == 1060.0
    assert condition(held[-1], "MetricsFresh")[0] is Status.FALSE
    assert condition(held[-1], "FallbackActive")[0] is Status.TRUE
    assert not any(seen.plan_changed for seen in held)
    await runner.run(30)
    assert runner.looks[-1].failure is None
    assert runner.looks[-1].state.data_missing_since_s is None
    assert len(world.taken) == before


async def test_a_pod_that_is_lost_in_doubt_is_replaced_and_serves() -> None:
    world = a_world(faults=blind(1060))
    runner = Runner(world=world)
    await runner.run(70)
    for pod in world.pods:
        world.vanish(pod)
    assert world.carried_rps() == 0
    await runner.look()
    world.advance(world.now_s + 15)
    await runner.look()
    world.advance(world.now_s + 5)
    assert world.carried_rps() > 0


async def test_without_any_data_it_warms_up_and_adopts_what_runs() -> None:
    world = a_world(faults=blind(0))
    world.add("middle", 1700)
    runner = Runner(world=world)
    (first, *_) = await runner.run(20)
    assert first.decision is not None
    assert first.decision.source is Source.ADOPTED
    assert first.plan_changed
    assert not taken(world, ScaleUp, ResizePod, RemovePods)
    assert world.carried_rps() == 10.0


async def test_without_data_and_without_pods_the_smallest_is_started() -> None:
    world = a_world(faults=blind(0))
    runner = Runner(world=world)
    await runner.run(20)
    assert runner.looks[0].decision is not None
    assert runner.looks[0].decision.source is Source.WARMING
    assert world.carried_rps() >= 1.0


async def first_started_without_data() -> str:
    world = a_world(faults=blind(0))
    await Runner(world=world).run(3)
    (started,) = {variant for variant, _ in starts(world)}
    return started


def starts(world: World) -> list[tuple[str, int]]:
    return [(s.target.variant, s.pods) for s in taken(world, ScaleUp) if isinstance(s, ScaleUp)]


async def test_without_data_a_variant_that_does_not_come_is_planned_otherwise() -> None:
    """A service without data whose first image can't be pulled must not wait for data for ever."""
    started = await first_started_without_data()
    never = Spell(variant=started, cause=Cause.IMAGE)
    world = a_world(faults=replace(blind(0), never_ready=(never,)))
    await Runner(world=world).run(300)
    assert world.carried_rps() >= 1.0
    assert max(pods for variant, pods in starts(world) if variant == started) == 1


async def test_the_first_data_does_not_wait_for_the_interval() -> None:
    world = a_world(rps=30.0, faults=blind(0, 1003))
    runner = Runner(world=world)
    await runner.run(5)
    assert [seen.is_solved for seen in runner.looks] == [True, False, False, True, False]


async def test_a_variant_that_leaves_the_spec_is_replanned_at_once() -> None:
    world = a_world(rps=3.0)
    runner = Runner(world=world)
    await runner.run(61)
    world.service = replace(world.service, variants=(SMALL,))
    assert (await runner.look()).plan_changed


async def test_without_data_a_plan_for_variants_that_are_gone_is_not_held() -> None:
    world = a_world(rps=3.0, faults=blind(0))
    world.service = replace(world.service, variants=(LARGE,))
    runner = Runner(world=world)
    await runner.run(5)
    world.service = replace(world.service, variants=(SMALL,))
    await runner.run(30)
    assert {pod.target.variant for pod in world.pods if not pod.leaving} >= {"small"}


class Coarse(SimulatedLoad):
    """A load source like Prometheus: the last hour by the second, earlier in steps of 25 s."""

    async def history(self, window_s: float, now_s: float) -> History:
        found = await SimulatedLoad.history(self, window_s, now_s)
        older, recent = found.samples[:-3600], found.samples[-3600:]
        return History((*reversed(older[::-1][::25]), *recent))


async def test_a_long_history_in_large_steps_does_not_blur_the_rate_of_now() -> None:
    noise = random.Random(1)
    rates = [max(0.0, noise.gauss(20.0, 4.5)) for _ in range(20_000)]
    service = a_service(forecast=ForecastMethod.SEASONAL_NAIVE)
    world = World(service, lambda at_s: rates[int(at_s) % len(rates)], begin_s=9000.0)
    world.load = Coarse(world)
    runner = Runner(world=world)
    looks = await runner.run(200)
    seen = [one.load_rps for one in looks[20:] if one.load_rps is not None]
    assert 16.0 < min(seen) <= max(seen) < 25.0


# --- pods that deliver more or less than their profile promises ----------------------------------


async def test_pods_that_deliver_less_than_promised_get_help() -> None:
    world = a_world(rps=30.0)
    runner = Runner(world=world)
    await runner.run(100)
    planned = world.carried_rps()
    world.fluid.delivers = 0.7
    await runner.run(200)
    enough = 0
    for _ in range(300):
        await runner.run(1)
        enough += world.carried_rps() * 0.7 >= 30.0
    assert enough >= 0.6 * 300  # it sometimes tries a smaller plan
    ratios = {t: runner.state.calibration.ratio(t) for t in runner.state.calibration.ratios}
    assert min(ratios.values()) < 0.8
    assert world.carried_rps() > planned


async def test_what_was_learnt_changes_what_a_look_reports_as_ready() -> None:
    runner = Runner(world=a_world(rps=30.0))
    await runner.run(60)
    before = runner.looks[-1].ready_capacity_rps
    low = {target: 0.5 for target in runner.state.calibration.ratios}
    runner.state = replace(runner.state, calibration=replace(runner.state.calibration, ratios=low))
    assert (await runner.look()).ready_capacity_rps == pytest.approx(before / 2)


# --- a platform that does not answer -------------------------------------------------------------


class Silent:
    """An API server that is down."""

    async def observe(self, now_s: float) -> Observed:
        raise PlatformUnavailable("the API server did not answer")

    async def take(self, step: Step) -> None:
        raise AssertionError


class SilentRouter:
    async def view(self) -> RouterView:
        raise PlatformUnavailable("Envoy did not answer")

    async def set_weights(self, step: SetWeights) -> None:
        raise AssertionError


async def test_nothing_is_done_blindly() -> None:
    world = a_world()
    runner = Runner(world=world)
    await runner.run(60)
    state = runner.state
    for ports in (
        Ports(world.load, Silent(), world),
        Ports(world.load, world, SilentRouter()),
    ):
        seen = await reconcile(world.service, state, ports, world.now_s)
        assert seen.steps == ()
        assert error_of(seen) == "PlatformUnavailable"
        assert seen.state == state
        assert condition(seen, "Ready")[0] is Status.UNKNOWN


async def test_a_refused_step_is_told_and_tried_again() -> None:
    world = a_world()

    def refuses(step: Step) -> StepRefused | None:
        refused = world.now_s < 1020 and isinstance(step, ScaleUp)
        return QuotaExceeded("the namespace's quota is used up") if refused else None

    world.refuses = refuses
    runner = Runner(world=world)
    await runner.run(60)
    assert runner.looks[0].refusals[0].reason == "QuotaExceeded"
    assert condition(runner.looks[0], "CapacityAvailable") == (Status.FALSE, "QuotaExceeded")
    assert condition(runner.looks[-1], "Ready")[0] is Status.TRUE


async def test_a_size_that_no_node_can_hold_is_rolled_out_instead() -> None:
    large_only = a_service(variants=(LARGE,), stabilization_s=20.0)
    world = World(service=large_only, load=lambda at: 3.0 if at < 1100 else 6.0)
    runner = Runner(world=world)
    await runner.run(60)
    first = world.pods[0].name

    def refuses(step: Step) -> StepRefused | None:
        grows = isinstance(step, ResizePod) and step.pod == first
        return ResizeInfeasible("the node holds no such pod") if grows else None

    world.refuses = refuses
    await runner.run(160)
    assert sum(bool(seen.refusals) for seen in runner.looks) == 1
    assert len(taken(world, ReplacePods)) == 1
    assert first not in {pod.name for pod in world.pods}
    assert world.carried_rps() >= 6.0


# --- modes ---------------------------------------------------------------------------------------


async def test_recommend_plans_and_reports_and_takes_no_step() -> None:
    world = World(service=a_service(mode=Mode.RECOMMEND), load=lambda _: 12.0)
    runner = Runner(world=world)
    await runner.run(30)
    assert world.taken == []
    assert runner.looks[-1].decision is not None
    assert runner.looks[-1].decision.plan.capacity_rps >= 12.0


async def test_paused_does_nothing_and_says_so() -> None:
    world = World(service=a_service(mode=Mode.PAUSED), load=lambda _: 12.0)
    runner = Runner(world=world)
    seen = await runner.look()
    assert seen.decision is None
    assert world.taken == []
    assert condition(seen, "Paused")[0] is Status.TRUE


# --- restarts ------------------------------------------------------------------------------------


async def test_a_restart_at_rest_changes_nothing() -> None:
    runner = Runner(world=a_world())
    await runner.run(100)
    before = len(runner.world.taken)
    plan = runner.looks[-1].decision
    runner.restart()
    await runner.run(60)
    assert len(runner.world.taken) == before
    assert plan is not None
    assert runner.looks[-1].decision is not None
    assert runner.looks[-1].decision.plan == plan.plan


@pytest.mark.parametrize("often_s", [1, 7])
async def test_restarts_in_the_middle_change_nothing(often_s: int) -> None:
    def a_run() -> Runner:
        load = {0: 5.0, 1: 60.0, 2: 12.0}
        world = World(
            service=a_service(),
            load=lambda at: load[max(0, min(2, int((at - 1000) // 60)))],
            confirm_s=0.0,
        )
        return Runner(world=world)

    undisturbed, disturbed = a_run(), a_run()
    await undisturbed.run(240)
    for _ in range(240 // often_s):
        await disturbed.run(often_s)
        disturbed.restart()
    until_s = disturbed.world.now_s
    assert disturbed.world.taken == [one for one in undisturbed.world.taken if one[0] < until_s]


async def test_forgetting_everything_at_rest_adopts_what_runs() -> None:
    runner = Runner(world=a_world())
    await runner.run(100)
    before = len(taken(runner.world, ScaleUp, RemovePods, ResizePod))
    runner.state = State()
    await runner.run(60)
    assert len(taken(runner.world, ScaleUp, RemovePods, ResizePod)) == before


async def test_a_clock_that_was_set_back_does_not_stop_the_planning() -> None:
    runner = Runner(world=a_world())
    seen = await runner.look()
    assert seen.decision is not None
    assert not is_due(runner.world.service, seen.decision, 1005.0)
    assert is_due(runner.world.service, seen.decision, 1010.0)
    assert is_due(runner.world.service, seen.decision, 400.0)


async def test_a_clock_that_was_set_back_does_not_stop_the_patience_with_pods() -> None:
    """Patience counts from the last progress, whose time is an hour ahead then."""
    runner = Runner(world=a_world())
    seen = await runner.look()
    milestone = replace(seen.state.milestone, at_s=runner.world.now_s + 3600)
    runner.state = replace(seen.state, milestone=milestone)
    seen = await runner.look()
    assert seen.state.milestone.at_s <= runner.world.now_s


async def test_no_data_has_its_name() -> None:
    world = a_world()

    class Empty:
        async def history(self, window_s: float, now_s: float) -> History:
            raise NoData("no such series")

        async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
            return {}

        async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
            return None

    ports = Ports(Empty(), world, world)
    seen = await reconcile(world.service, State(), ports, world.now_s)
    assert seen.failure == ("NoData", "no such series")
