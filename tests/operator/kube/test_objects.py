import copy

from infadapter_operator.kube.objects import (
    build_deployment,
    build_target_service,
    container_resources,
)
from infadapter_operator.kube.observe import belongs_to
from infadapter_operator.kube.read import own_server, own_target, template_size
from infadapter_solver.problem import PodSize, Target
from tests.operator.kube.fakes import OWNER, Json, allocation, template, workload

GPU = "nvidia.com/gpu"


def server(deployment: Json) -> Json:
    found: Json = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def test_a_deployment_says_what_it_is_for_and_whose_it_is() -> None:
    target = Target("r18", GPU)
    size = PodSize(resources={"cpu": 1500, GPU: 1}, batch_size=4)
    made = build_deployment(OWNER, workload(), target, size, 2)
    assert own_target(made) == target
    assert own_target(made["spec"]["template"]) == target
    assert own_server(made["spec"]["template"]) == ("server", 9000)
    assert belongs_to(made, OWNER)
    assert template_size(made, "server") == size
    assert made["spec"]["replicas"] == 2


def test_requests_equal_limits_for_cpu_and_devices_and_memory_stays() -> None:
    written = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    sized = container_resources(written, {"cpu": 2500, GPU: 1}, frozenset({"cpu", GPU}))
    assert sized == {
        "requests": {"memory": "1Gi", "cpu": "2500m", GPU: "1"},
        "limits": {"memory": "2Gi", "cpu": "2500m", GPU: "1"},
    }


def test_a_pod_on_cpu_asks_for_no_device_that_the_template_names() -> None:
    written = {"limits": {GPU: "1", "rdma/hca": "1"}}
    sized = container_resources(written, {"cpu": 1000}, frozenset({"cpu", GPU}))
    assert sized["limits"] == {"rdma/hca": "1", "cpu": "1"}


def test_what_the_user_wrote_of_the_container_wins() -> None:
    own = {"readinessProbe": {"tcpSocket": {"port": 1}}, "lifecycle": {}}
    made = build_deployment(OWNER, workload(template=template(**own)), Target("r18"), PodSize(), 1)
    assert server(made)["readinessProbe"] == own["readinessProbe"]
    assert server(made)["lifecycle"] == {}


def test_a_container_without_a_probe_is_asked_by_the_protocol() -> None:
    made = build_deployment(OWNER, workload(port=7000), Target("r18"), PodSize(), 1)
    assert server(made)["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 7000}


def test_only_the_named_container_is_sized() -> None:
    two = template()
    two["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    made = build_deployment(
        OWNER,
        workload(template=two, container="server"),
        Target("r18"),
        allocation(500).size,
        1,
    )
    sidecar, sized = made["spec"]["template"]["spec"]["containers"]
    assert sidecar == {"name": "sidecar", "image": "x"}
    assert sized["resources"]["limits"] == {"cpu": "500m"}


def test_building_changes_nothing_that_the_user_wrote() -> None:
    mine = workload(template={"metadata": {"labels": {"a": "b"}}, **template()})
    before = copy.deepcopy(mine.template)
    made = build_deployment(OWNER, mine, Target("r18"), allocation(500).size, 1)
    assert mine.template == before
    assert made["spec"]["template"]["metadata"]["labels"]["a"] == "b"


def test_the_digest_is_of_what_the_user_wrote_not_of_sizes() -> None:
    assert workload().digest == workload(allocations=()).digest
    assert workload().digest != workload(template=template(image="example/server:2")).digest
    assert workload().digest != workload(port=1).digest


def test_a_gated_service_sends_to_marked_pods_only() -> None:
    plain = build_target_service(OWNER, Target("r18"), 9000, gated=False)["spec"]["selector"]
    gated = build_target_service(OWNER, Target("r18"), 9000, gated=True)["spec"]["selector"]
    assert gated == {**plain, "infadapter.io/traffic": "on"}
