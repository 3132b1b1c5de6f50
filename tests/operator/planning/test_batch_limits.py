"""The batch limit is part of an allocation: it is planned, passed to pods, and observed."""

from typing import Any

import pytest

from infadapter_operator.domain.names import BATCH_ANNOTATION
from infadapter_operator.domain.service import Service
from infadapter_operator.kube.objects import Workload, pod_template
from infadapter_operator.kube.read import pod_of
from infadapter_operator.planning.capacity import capacity_rps, resizable
from infadapter_operator.planning.parse import ProfileUnfit
from infadapter_solver import Objective, Problem, Target, solve
from infadapter_solver.problem import CPU, PodSize
from tests.operator.planning.test_parse import Json, a_document, a_profile, parsed

TARGET = Target("resnet18")


def a_row(cpu: str, batch_size: int, rps: float) -> Json:
    """Return an allocation as the profiler writes it: its capacity misses 1 % at most."""
    known = {"latencyMilliseconds": 750, "percentile": 99, "rps": str(rps), "missedRatio": "0.01"}
    return {"resources": {"cpu": cpu}, "batchSize": batch_size, "capacity": [known]}


def a_service_with(*rows: Json, **variant: Any) -> Service:
    document = a_document()
    (written,) = document["spec"]["variants"]
    if variant:
        del written["template"]
    return parsed(a_document(variants=[{**written, **variant}]), {"resnet18-cpu": a_profile(*rows)})


BOTH = (a_row("1", 1, 10), a_row("2", 1, 20), a_row("1", 8, 25), a_row("2", 8, 45))


def planned(service: Service, demand_rps: float) -> tuple[int, int, int]:
    """Return pods, millicores and batch limit of the plan."""
    objective = Objective(budget={CPU: 20_000}, cost_weight=0.5)
    solution = solve(Problem(variants=service.variants, demand_rps=demand_rps, objective=objective))
    (group,) = solution.groups
    return group.pods, group.allocation.cpu_millicores, group.allocation.batch_size


def test_the_batch_limit_that_needs_the_fewest_cores_is_planned() -> None:
    assert planned(a_service_with(*BOTH), 24.0)[1:] == (1000, 8)
    assert planned(a_service_with(*BOTH[:2]), 24.0)[2] == 1


def test_batches_that_make_requests_late_are_not_planned() -> None:
    """Larger batches are planned only if more requests are answered within the SLO."""
    slow = (a_row("1", 1, 10), a_row("2", 1, 20), a_row("1", 8, 4), a_row("2", 8, 9))
    assert planned(a_service_with(*slow), 18.0)[2] == 1


def a_pod_made_at(service: Service, size: PodSize) -> Json:
    container = {"name": "server", "image": "x:1", "ports": [{"containerPort": 8080}]}
    (variant,) = service.variants
    workload = Workload(
        variant=variant.name,
        allocations=variant.allocations,
        template={"spec": {"containers": [container]}},
    )
    made = pod_template("resnet", workload, TARGET, size)
    made["metadata"] |= {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}
    condition = {"type": "Ready", "status": "True"}
    return {**made, "status": {"phase": "Running", "conditions": [condition]}}


def test_a_pod_carries_its_batch_limit_and_serves_what_was_measured_with_it() -> None:
    service = a_service_with(*BOTH)
    for batch_size, served_rps in ((1, 10.0), (8, 25.0), (4, 0.0)):
        size = PodSize(resources={CPU: 1000}, batch_size=batch_size)
        made = a_pod_made_at(service, size)
        assert made["metadata"]["annotations"][BATCH_ANNOTATION] == str(batch_size)
        pod = pod_of(made, TARGET, Workload(variant="resnet18").server_of(made["spec"]))
        assert pod is not None
        assert pod.size == size
        assert capacity_rps(service, pod) == served_rps


def test_a_batch_limit_is_not_changed_in_place() -> None:
    has = PodSize(resources={CPU: 1000}, batch_size=1)
    assert resizable(has, PodSize(resources={CPU: 2000}, batch_size=1))
    assert not resizable(has, PodSize(resources={CPU: 1000}, batch_size=8))


def test_a_deployment_that_exists_has_one_batch_limit_for_each_size() -> None:
    """A borrowed Deployment's pods can neither be given a limit nor show the one they have."""
    borrowed = {"deploymentRef": {"name": "mine"}}
    with pytest.raises(ProfileUnfit, match=r"cpu=1 with several batch sizes: keep the one"):
        a_service_with(*BOTH, **borrowed)
    assert a_service_with(BOTH[0], BOTH[3], **borrowed).variants
