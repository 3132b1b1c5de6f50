from typing import Any

import pytest

from infadapter_operator.domain.names import BATCH_ANNOTATION, SERVER_ANNOTATION
from infadapter_operator.domain.observed import Pod, Resize
from infadapter_operator.kube.objects import Server
from infadapter_operator.kube.read import kind_of, own_server, pod_of, runs_pods, usual_size
from infadapter_operator.kube.statuses import seconds
from infadapter_solver.problem import PodSize, Target
from tests.operator.kube.fakes import Json

SINCE = "2026-01-01T00:01:00Z"


def a_pod(
    asked: str = "2", in_force: str | None = "2", conditions: Any = (), **changes: Any
) -> Json:
    metadata = {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", **changes}
    statuses = [{"name": "c", "resources": {"requests": {"cpu": in_force}}}] if in_force else []
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": asked}}}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": list(conditions),
            "containerStatuses": statuses,
        },
    }


def seen(pod: Json) -> Pod:
    found = pod_of(pod, Target("r18"), Server("c", 9000))
    assert found is not None
    return found


def annotated(key: str, written: str) -> Json:
    return a_pod(annotations={key: written})


@pytest.mark.parametrize("port", ["", "0", "-1", "²", "٣", "65536", "9" * 5_000])
def test_a_port_that_nobody_listens_at_says_no_server(port: str) -> None:
    assert own_server(annotated(SERVER_ANNOTATION, f"c:{port}")) is None
    assert own_server(annotated(SERVER_ANNOTATION, "c:65535")) == Server("c", 65_535)


@pytest.mark.parametrize("batch", ["", "0", "-1", "²", "1.5", "4097", "9" * 5_000])
def test_a_batch_size_that_is_none_is_one(batch: str) -> None:
    assert seen(annotated(BATCH_ANNOTATION, batch)).size.batch_size == 1
    assert seen(annotated(BATCH_ANNOTATION, "4096")).size.batch_size == 4_096


def condition(kind: str, status: str = "True", reason: str = "") -> Json:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": SINCE}


def test_a_ready_pod_has_an_address_and_the_size_in_force() -> None:
    pod = seen(a_pod(conditions=[condition("Ready")]))
    assert (pod.ready, pod.address) == (True, "10.0.0.7:9000")
    assert pod.resources == pod.wanted.resources == {"cpu": 2000}
    assert pod.resize is Resize.NONE


def test_an_ipv6_address_is_in_brackets() -> None:
    pod = a_pod()
    pod["status"]["podIP"] = "fd00::7"
    assert seen(pod).address == "[fd00::7]:9000"


def test_a_pod_that_is_deleted_leaves_and_is_not_ready() -> None:
    pod = seen(a_pod(conditions=[condition("Ready")], deletionTimestamp=SINCE))
    assert (pod.ready, pod.leaving) == (False, True)


def test_a_pod_that_has_not_started_has_the_size_it_asked_for() -> None:
    assert seen(a_pod(in_force=None)).resources == {"cpu": 2000}


def test_a_resize_is_in_progress_until_it_is_in_force() -> None:
    pod = seen(a_pod(asked="3"))
    assert (pod.resources, pod.wanted.resources) == ({"cpu": 2000}, {"cpu": 3000})
    assert pod.resize is Resize.IN_PROGRESS


@pytest.mark.parametrize(
    ("reason", "resize"), [("Deferred", Resize.DEFERRED), ("Infeasible", Resize.REFUSED)]
)
def test_a_resize_that_waits_says_since_when(reason: str, resize: Resize) -> None:
    pod = seen(a_pod(asked="3", conditions=[condition("PodResizePending", reason=reason)]))
    assert (pod.resize, pod.resize_since_s) == (resize, seconds(SINCE))


def test_a_pod_that_no_node_has_room_for_says_since_when() -> None:
    pod = seen(a_pod(conditions=[condition("PodScheduled", "False", "Unschedulable")]))
    assert pod.unschedulable_since_s == seconds(SINCE)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_is_no_pod(phase: str) -> None:
    pod = a_pod()
    pod["status"]["phase"] = phase
    assert pod_of(pod, Target("r18"), Server("c", 9000)) is None


def test_memory_is_not_counted_and_devices_are() -> None:
    pod = a_pod(in_force=None)
    pod["spec"]["containers"][0]["resources"] = {
        "requests": {"memory": "1Gi", "cpu": "500m"},
        "limits": {"nvidia.com/gpu": 1, "hugepages-2Mi": "1"},
    }
    assert seen(pod).resources == {"cpu": 500, "nvidia.com/gpu": 1}
    assert kind_of(seen(pod).resources) == "nvidia.com/gpu"


def test_the_usual_size_is_that_of_most_pods() -> None:
    pods = [seen(a_pod(asked=cpu)) for cpu in ("1", "2", "2")]
    assert usual_size(pods) == PodSize(resources={"cpu": 2000})
    assert usual_size([]) is None


@pytest.mark.parametrize(("replicas", "there", "runs"), [(0, 0, False), (1, 0, True), (0, 1, True)])
def test_a_template_may_change_while_nothing_runs(replicas: int, there: int, runs: bool) -> None:
    deployment = {"spec": {"replicas": replicas}, "status": {"replicas": there}}
    assert runs_pods(deployment) is runs
