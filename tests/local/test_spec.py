"""What the demo asks for, and the fixed choices that it is compared with."""

from pathlib import Path

import pytest

from infadapter_local.calibration import checked_sizes
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import variant_words
from infadapter_local.rescaling import Check, rescaled, rescaled_row, speed_of
from infadapter_local.run import server_command
from infadapter_local.shipped import VARIANTS, shipped_profiles, trained_accuracies
from infadapter_local.spec import (
    NothingFits,
    demo_service,
    full_budget,
    highest_rps,
    resized_single,
    slot_of,
    static_single,
)
from infadapter_operator.domain.service import Service
from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_solver import CPU, Problem, solve
from infadapter_solver.problem import Objective, PodSize, Target

QUOTAS = Quotas(Path("/nowhere"))  # nothing is started with it


def profile(name: str, accuracy: float, rps_per_core: float) -> Profile:
    """Of a variant that serves in proportion to its CPU, up to nine tenths of saturation."""

    def allocation(millicores: int) -> ProfiledAllocation:
        top = rps_per_core * millicores / 1000
        point = Point(rps=0.9 * top, latency_s={99.0: 0.2})
        return ProfiledAllocation(
            size=PodSize(resources={CPU: millicores}), saturation_rps=top, points=(point,)
        )

    allocations = tuple(allocation(size) for size in (100, 300, 1000))
    return Profile(variant=name, accuracy=accuracy, load_time_s=0.5, allocations=allocations)


PROFILES = (profile("fast", 0.7, 400.0), profile("good", 0.8, 200.0), profile("best", 0.9, 50.0))


@pytest.fixture
def service() -> Service:
    return demo_service(PROFILES, 1000, QUOTAS)


def test_sizes_come_in_hundreds_of_millicores_where_there_are_quotas(service: Service) -> None:
    sizes = sorted(a.cpu_millicores for a in service.variants[0].allocations)
    assert sizes == list(range(100, 1001, 100))
    pinned = demo_service(PROFILES, 2000, Cores())
    assert {a.cpu_millicores for v in pinned.variants for a in v.allocations} == {1000}


def test_sizes_of_more_than_a_core_are_left_out_where_cores_are_faster() -> None:
    fast = demo_service(PROFILES, 500, Quotas(Path("/nowhere"), 2.0))
    assert max(a.cpu_millicores for a in fast.variants[0].allocations) == 500


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (QUOTAS, (300, 600, 1000)),
        (Quotas(Path("/nowhere"), 0.35), (300, 600, 1000)),
        (Quotas(Path("/nowhere"), 2.0), (300, 400)),
        (Quotas(Path("/nowhere"), 4.0), (200,)),
        (Cores(), (1000,)),
    ],
)
def test_calibration_measures_sizes_that_pods_can_have(
    limits: Quotas | Cores, sizes: tuple[int, ...]
) -> None:
    assert checked_sizes(limits) == sizes


def test_a_variant_too_slow_for_the_slo_here_is_left_out() -> None:
    crawling = rescaled(PROFILES[2], Check(load_s=1.0, saturation_rps={1000: 2.0}))
    service = demo_service((*PROFILES[:2], crawling), 1000, QUOTAS)
    assert [variant.name for variant in service.variants] == ["fast", "good"]
    size = PodSize(resources={CPU: 1000}, batch_size=4)
    command = server_command(service, variant_words)(Target("good"), size, 80)
    assert command[command.index("--max-batch") + 1] == "4"


def test_a_machine_too_slow_for_every_variant_is_named() -> None:
    crawling = (rescaled(p, Check(load_s=1.0, saturation_rps={1000: 2.0})) for p in PROFILES)
    with pytest.raises(NothingFits, match="no variant serves within 250 ms"):
        demo_service(crawling, 1000, QUOTAS)


def test_a_budget_below_every_size_is_named() -> None:
    with pytest.raises(NothingFits, match=r"budget of 800m holds no pod.* 1000m"):
        demo_service(PROFILES, 800, Cores())


def test_the_highest_rate_is_that_of_the_fastest_variant(service: Service) -> None:
    assert highest_rps(service) == pytest.approx(400 * 0.9 * 0.9)


def test_the_best_single_variant_serves_the_peak_on_the_smallest_size(service: Service) -> None:
    single = static_single(service, 150.0)
    (variant,) = single.variants
    assert variant.name == "good"
    assert [a.cpu_millicores for a in variant.allocations] == [1000]
    plan = solve(
        Problem(
            variants=single.variants,
            demand_rps=30.0,
            min_replicas=single.min_replicas,
            objective=Objective(budget=single.budget, prices=single.objective.prices),
        )
    )
    assert [(g.target.variant, g.allocation.cpu_millicores) for g in plan.groups] == [
        ("good", 1000)
    ]


def test_a_peak_that_no_variant_serves_is_named(service: Service) -> None:
    with pytest.raises(NothingFits, match="900 requests/s"):
        static_single(service, 900.0)


def test_the_full_budget_buys_the_most_accurate_choice_for_the_peak(service: Service) -> None:
    bought = full_budget(service, 200.0)
    assert sum(v.allocations[0].cpu_millicores for v in bought.variants) == bought.budget[CPU]
    assert bought.budget[CPU] == 1000
    assert bought.min_replicas == sum(n for name, n in bought.budget.items() if name != CPU)
    assert {v.name for v in bought.variants} == {"fast", "good"}


def test_a_fixed_choice_leaves_nothing_to_choose(service: Service) -> None:
    for choice in (static_single(service, 150.0), full_budget(service, 200.0)):
        pods = {variant.name: choice.budget[slot_of(variant.name)] for variant in choice.variants}
        for demand_rps in (1.0, 100.0, 1000.0):
            plan = solve(
                Problem(
                    variants=choice.variants,
                    demand_rps=max(demand_rps, choice.minimum_rps),
                    min_replicas=choice.min_replicas,
                    objective=Objective(budget=choice.budget, prices=choice.objective.prices),
                )
            )
            assert {g.target.variant: g.pods for g in plan.groups} == pods


def test_the_resized_single_variant_has_all_its_sizes(service: Service) -> None:
    resized = resized_single(service, static_single(service, 150.0))
    assert [v.name for v in resized.variants] == ["good"]
    assert len(resized.variants[0].allocations) == 10


def test_a_slower_machine_serves_less_and_answers_later() -> None:
    slow = rescaled(PROFILES[0], Check(load_s=1.5, saturation_rps={300: 60.0, 1000: 200.0}))
    assert slow.load_time_s == 1.5
    assert slow.allocations[-1].saturation_rps == pytest.approx(200.0)
    assert slow.allocations[-1].points[0].latency_s[99.0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("speed", "sizes"), [(0.82, [100, 300, 1000]), (0.5, [300, 1000]), (0.1, [1000]), (0.05, [])]
)
def test_a_size_that_is_as_none_that_was_measured_is_left_out(
    speed: float, sizes: list[int]
) -> None:
    """At half the speed, 100m serve as 50m did."""
    slow = rescaled(PROFILES[0], Check(load_s=1.5, saturation_rps={1000: 400 * speed}))
    assert [a.resources[CPU] for a in slow.allocations] == sizes


def test_a_faster_machine_serves_more_and_is_not_claimed_to_answer_earlier() -> None:
    check = Check(load_s=0.2, saturation_rps={300: 240.0, 1000: 800.0})
    assert speed_of(PROFILES[0], check) == pytest.approx(2.0)
    fast = rescaled(PROFILES[0], check)
    assert fast.allocations[0].points[0].rps == pytest.approx(72.0)
    assert fast.allocations[0].points[0].latency_s[99.0] == pytest.approx(0.2)


def test_a_size_between_two_that_were_checked_serves_in_proportion() -> None:
    uneven = rescaled(PROFILES[0], Check(load_s=0.2, saturation_rps={300: 120.0, 1000: 200.0}))
    by_size = {a.resources[CPU]: a.saturation_rps for a in uneven.allocations}
    assert by_size[100] == pytest.approx(40.0)
    assert by_size[300] == pytest.approx(120.0)
    assert by_size[1000] == pytest.approx(200.0)


def test_a_larger_size_serves_no_less_than_a_smaller_one() -> None:
    """Its flood was disturbed: no pod is slower with more CPU."""
    disturbed = rescaled(PROFILES[0], Check(load_s=0.2, saturation_rps={300: 120.0, 1000: 90.0}))
    by_size = {a.resources[CPU]: a.saturation_rps for a in disturbed.allocations}
    assert by_size == pytest.approx({100: 40.0, 300: 120.0, 1000: 120.0})


def test_a_minute_that_was_disturbed_counts_at_no_higher_rate() -> None:
    """A low rate was answered no later than a higher one, by a slower machine neither."""
    points = tuple(
        Point(rps=rps, latency_s={99.0: ms / 1000}, refused_ratio=0.0)
        for rps, ms in ((70.0, 104.0), (220.0, 36.0), (365.0, 89.0))
    )
    row = ProfiledAllocation(
        size=PodSize(resources={CPU: 600}), saturation_rps=730.0, points=points
    )
    slow = rescaled_row(row, 365.0)
    assert [p.rps for p in slow.points] == [35.0, 110.0, 182.5]
    assert [p.latency_s[99.0] for p in slow.points] == pytest.approx([0.072, 0.072, 0.178])


def test_sizes_that_the_profile_lacks_tell_nothing() -> None:
    with pytest.raises(ValueError, match="lacks the sizes"):
        rescaled(PROFILES[0], Check(load_s=0.2, saturation_rps={250: 120.0}))


def test_the_profiles_that_ship_are_a_ladder() -> None:
    profiles = shipped_profiles()
    assert tuple(profile.variant for profile in profiles) == VARIANTS
    accuracies = [profile.accuracy for profile in profiles]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] - accuracies[0] >= 0.08
    service = demo_service(profiles, 1000, QUOTAS)
    assert all(variant.allocations for variant in service.variants)


def test_the_profiles_that_ship_have_the_accuracies_that_training_measured() -> None:
    try:
        trained = trained_accuracies()
    except FileNotFoundError:
        pytest.skip("the ladder's notes are not there")
    shipped = {profile.variant: profile.accuracy for profile in shipped_profiles()}
    assert shipped == pytest.approx(trained, abs=1e-5)
