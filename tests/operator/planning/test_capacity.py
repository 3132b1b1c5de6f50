from dataclasses import replace

import pytest

from infadapter_operator.domain.observed import Observed, Resize
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.planning import capacity
from infadapter_operator.planning.capacity import (
    capacity_rps,
    fits,
    held,
    ready_capacity_rps,
    resizable,
)
from infadapter_operator.planning.probe import room_beside
from infadapter_operator.rollout.free import over_budget
from infadapter_solver.problem import CPU, Allocation, PodSize, Target, Variant
from tests.builders import a_pod, a_service

GPU = "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("millicores", "rps"), [(500, 10.0), (1000, 20.0), (1999, 20.0), (9000, 80.0), (499, 0.0)]
)
def test_is_that_of_the_largest_measured_size_inside(millicores: int, rps: float) -> None:
    assert capacity_rps(a_service(), a_pod("small-0", millicores)) == rps


def test_is_nothing_for_a_variant_that_left_the_spec() -> None:
    assert capacity_rps(a_service(), a_pod("gone-0", 1000)) == 0.0


def test_is_nothing_for_another_batch_size() -> None:
    assert capacity_rps(a_service(), a_pod("small-0", 1000, batch_size=8)) == 0.0


def test_prefers_the_exact_size_even_where_a_smaller_one_was_measured_to_serve_more() -> None:
    odd = Variant(
        name="odd",
        accuracy=0.7,
        load_time_s=1.0,
        allocations=(
            Allocation(size=PodSize(resources={"cpu": 1000}), capacity_rps=9.0),
            Allocation(size=PodSize(resources={"cpu": 2000}), capacity_rps=8.0),
        ),
    )
    assert capacity_rps(a_service(variants=(odd,)), a_pod("odd-0", 2000)) == 8.0


def test_a_gpu_counts_only_on_its_own_kind() -> None:
    both = Variant(
        name="both",
        accuracy=0.7,
        load_time_s=1.0,
        allocations=(
            Allocation(size=PodSize(resources={"cpu": 1000}), capacity_rps=9.0),
            Allocation(size=PodSize(resources={"cpu": 1000, GPU: 1}), capacity_rps=90.0),
        ),
    )
    service = a_service(variants=(both,))
    size = {"cpu": 1000, GPU: 1}
    on_gpu = a_pod("both-0", 1000, target=Target("both", GPU), resources=size)
    assert capacity_rps(service, on_gpu) == 90.0
    assert capacity_rps(service, a_pod("both-0", 1000)) == 9.0


def test_only_ready_pods_that_stay_count() -> None:
    pods = [
        a_pod("small-0", 1000),
        a_pod("small-0", 1000, ready=False),
        a_pod("small-0", 1000, leaving=True),
    ]
    assert ready_capacity_rps(a_service(), pods) == 20.0


def test_only_cpu_is_resized_in_place() -> None:
    has = PodSize(resources={"cpu": 1000})
    assert resizable(has, PodSize(resources={"cpu": 3000}))
    assert not resizable(has, PodSize(resources={"cpu": 1000}, batch_size=2))
    assert not resizable(has, PodSize(resources={"cpu": 1000, GPU: 1}))


def test_a_resource_that_is_absent_has_no_room() -> None:
    assert not fits({GPU: 1}, {"cpu": 1000})
    assert fits({"cpu": 1000}, {"cpu": 1000, GPU: 1})


def test_what_fits_is_found_once_for_as_long_as_the_variants_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[PodSize] = []
    search = capacity._fitting

    def counted(service: Service, target: Target, size: PodSize) -> Allocation | None:
        searched.append(size)
        return search(service, target, size)

    monkeypatch.setattr(capacity, "_fitting", counted)
    service = a_service()
    for mode in Mode:
        capacity_rps(replace(service, mode=mode), a_pod("small-0", 1900))
    assert len(searched) == 1
    other = replace(service, variants=service.variants[1:])
    assert capacity_rps(other, a_pod("small-0", 1900)) == 0.0


@pytest.mark.parametrize("resize", Resize)
def test_a_pod_holds_what_it_was_asked_to_grow_to_unless_that_is_refused(resize: Resize) -> None:
    """Planning and rollout count as the kube-scheduler and quotas do."""
    pod = a_pod("small-0", 1000, wanted=4000, resize=resize)
    holds = 1000 if resize is Resize.REFUSED else 4000
    assert held([pod]) == {CPU: holds}
    service, observed = a_service(budget={CPU: 900}, max_surge={CPU: 4000}), Observed(pods=(pod,))
    assert over_budget(service, observed.pods) == {CPU: holds - 900}
    assert room_beside(service, observed, None, ()) == {CPU: 4900 - holds}
