"""`infadapter profile --kubernetes`: a clone is measured, and goes whatever happens."""

import asyncio
import copy
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from infadapter.cluster import clone, coming, lease, resizing
from infadapter.cluster import command as in_cluster
from infadapter.cluster.jobs import PROFILE_LABEL
from infadapter.cluster.reference import parse_reference
from infadapter.cluster.resizing import in_force
from infadapter.cluster.source import find_source
from infadapter.commands.profile import profile
from infadapter_operator.domain.names import GROUP, SERVICES, VERSION
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.paths import core, custom
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.sizes import CPU, PodSize
from tests.cli.cluster_world import (
    NAMESPACE,
    PROFILE,
    ClusterWorld,
    deployment,
    forbidden,
    measured,
    option,
    over,
    pending,
    ready,
    unready,
)
from tests.model_variants.virtual_time import run_virtually

TARGET = ("--kubernetes", "deployment/r18", "--namespace", NAMESPACE)
NO_ROOM = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "no room",
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClusterWorld:
    """In virtual time: what is waited for is as late as it says, however fast this machine is."""
    world = ClusterWorld()
    monkeypatch.setattr(in_cluster, "connect", lambda timeout_s: world)
    monkeypatch.setattr(asyncio, "run", run_virtually)
    virtual = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    for module in (clone, coming, lease, resizing):
        monkeypatch.setattr(module, "time", virtual)
    monkeypatch.chdir(tmp_path)
    return world


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(profile, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def test_a_clone_is_measured_and_its_profile_applied(world: ClusterWorld) -> None:
    path = deployment(world)
    before = copy.deepcopy(world.objects[path])
    result = invoke(*TARGET, "--slo-ms", "100")
    assert result.exit_code == 0, result.output
    spec = world.objects[PROFILE]["spec"]
    assert [a["resources"] for a in spec["allocations"]] == [{"cpu": "500m"}]
    assert spec["loadSeconds"] == "4", "from the creation of the clone until it was Ready"
    assert world.objects[PROFILE]["status"]["machine"] == "node node-1"
    assert "variantprofile/r18 in namespace vision: created" in result.output
    assert "saturation, 1 s" in result.output, "what the profiler says is passed on"
    assert world.left == []
    assert world.objects[path] == before
    assert all("/deployments/" not in path for _, path in world.writes)


def test_nothing_that_selects_pods_that_carry_load_selects_the_clone(world: ClusterWorld) -> None:
    deployment(world)
    invoke(*TARGET)
    clone, generator = world.jobs
    for job in world.jobs:
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert labels == {PROFILE_LABEL: job["metadata"]["name"]}
        assert job["spec"]["activeDeadlineSeconds"] > 0
        assert job["spec"]["ttlSecondsAfterFinished"] >= 0
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert clone["spec"]["template"]["metadata"]["annotations"] == {"own": "1"}
    pod = clone["spec"]["template"]["spec"]
    assert "priorityClassName" not in pod, "it would evict others"
    (server,) = pod["containers"]
    assert server["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "500m"},
    }
    assert "lifecycle" not in server
    assert generator["metadata"]["ownerReferences"][0]["name"] == clone["metadata"]["name"]
    assert generator["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_generator_has_the_servers_image_or_one_of_its_own(world: ClusterWorld) -> None:
    deployment(world)
    invoke(*TARGET)
    invoke(*TARGET, "--image", "example/profiler:2")
    own, other = (world.jobs[n]["spec"]["template"]["spec"] for n in (1, 3))
    assert own["containers"][0]["image"] == "example/server:1"
    assert own["containers"][0]["env"] == [{"name": "A", "value": "b"}]
    assert [volume["name"] for volume in own["volumes"]] == ["weights", "profiler-tmp"]
    assert other["containers"][0]["image"] == "example/profiler:2"
    assert "env" not in other["containers"][0]
    assert own["containers"][0]["command"][:3] == [
        "infadapter",
        "profile",
        "http://10.0.0.7:9000/v2/models/r18/infer",
    ]


def test_one_clone_is_resized_from_size_to_size(world: ClusterWorld) -> None:
    deployment(world, cpu=None)
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2", "--cpu", "2000m")
    assert result.exit_code == 0, result.output
    assert len(world.jobs) == 3, "a clone and two generators"
    resizes = [path for method, path in world.writes if path.endswith("/resize")]
    assert len(resizes) == 1
    sizes = [a["resources"]["cpu"] for a in world.objects[PROFILE]["spec"]["allocations"]]
    assert sizes == ["500m", "2"]


def test_what_can_not_be_resized_is_cloned_anew(world: ClusterWorld) -> None:
    deployment(world)

    def refuse(method: str, path: str) -> Exception | None:
        return ApiRefusal(403, "Forbidden", "no") if path.endswith("/resize") else None

    world.refuse = refuse
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    assert result.exit_code == 0, result.output
    assert len(world.jobs) == 4
    assert len(world.objects[PROFILE]["spec"]["allocations"]) == 2
    assert world.left == []


FAILING = {"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "cgroup"}


@pytest.mark.parametrize(
    "said",
    [
        [pending("Deferred", "Node didn't have enough resource: cpu")] * 3,
        [FAILING, FAILING],
        [pending("Deferred"), FAILING, {"type": "PodResizeInProgress", "status": "True"}],
    ],
)
def test_a_resize_that_takes_its_time_is_waited_for(
    world: ClusterWorld, said: list[dict[str, Any]]
) -> None:
    deployment(world)
    world.kubelet = said
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    assert result.exit_code == 0, result.output
    assert len(world.jobs) == 3, "one clone"
    assert world.kubelet == [], "nothing is measured before it is in force"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([pending("Infeasible", "static CPU manager")], "Infeasible: static CPU manager"),
        ([pending("Deferred", "no room")] * 1000, "not in force after 20 s: Deferred: no room"),
        ([FAILING] * 1000, "not in force after 20 s: Error: cgroup"),
        ([{"type": "Other"}] * 1000, "the kubelet shows the old size"),
    ],
)
def test_a_resize_that_a_node_does_not_grant_is_a_new_clone(
    world: ClusterWorld, said: list[dict[str, Any]], sentence: str
) -> None:
    deployment(world)
    world.kubelet = said
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    assert result.exit_code == 0, result.output
    assert "The clone can't be resized (" in result.output
    assert sentence in result.output
    assert len(world.objects[PROFILE]["spec"]["allocations"]) == 2
    assert world.left == []
    clones = [job for job in world.jobs if "ownerReferences" not in job["metadata"]]
    sizes = [
        job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
        for job in clones
    ]
    assert sizes == ["500m", "2"]


def test_a_clone_that_goes_while_it_is_resized_is_made_anew(world: ClusterWorld) -> None:
    deployment(world)

    def go(method: str, path: str) -> Exception | None:
        if path.endswith("/resize"):
            world.objects.pop(path.removesuffix("/resize"))
        return None

    world.refuse = go
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    assert result.exit_code == 0, result.output
    assert len(world.objects[PROFILE]["spec"]["allocations"]) == 2


def test_limits_tell_whether_a_size_is_in_force(world: ClusterWorld) -> None:
    """Requests are shown as soon as the node has admitted them."""
    deployment(world)
    resources = {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}
    source = asyncio.run(
        find_source(world, NAMESPACE, parse_reference("deployment/r18"), container=None, port=None)
    )
    live: dict[str, Any] = {
        "metadata": {"generation": 2},
        "status": {"containerStatuses": [{"name": "server", "resources": resources}]},
    }
    size = PodSize(resources={CPU: 2000})
    assert not in_force(live, source, size)
    resources["limits"]["cpu"] = "2"
    assert in_force(live, source, size)
    live["status"]["observedGeneration"] = 1
    assert not in_force(live, source, size), "that is of the spec before"


def test_a_server_that_a_resize_restarts_gets_a_clone_for_each_size(world: ClusterWorld) -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    deployment(world, resizePolicy=policy)
    result = invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    assert result.exit_code == 0, result.output
    assert "its resizePolicy restarts the server" in result.output
    assert not any(path.endswith("/resize") for _, path in world.writes)
    assert len(world.jobs) == 4


def test_no_container_of_the_clone_is_restarted_by_a_resize(world: ClusterWorld) -> None:
    """The API server refuses such a pod where it is never started again."""
    path = deployment(world, resizePolicy=[{"resourceName": "cpu", "restartPolicy": "NotRequired"}])
    sidecar = {"name": "proxy", "image": "p", "restartPolicy": "Always", "resizePolicy": []}
    world.objects[path]["spec"]["template"]["spec"]["initContainers"] = [sidecar]
    assert invoke(*TARGET).exit_code == 0
    pod = world.jobs[0]["spec"]["template"]["spec"]
    assert "resizePolicy" not in pod["containers"][0]
    assert pod["initContainers"] == [{"name": "proxy", "image": "p", "restartPolicy": "Always"}]


def test_a_profiler_that_has_ended_makes_room_for_the_next_size(world: ClusterWorld) -> None:
    """A node that defers a resize looks again when a pod has gone, and not when one ends."""
    deployment(world)
    invoke(*TARGET, "--cpu", "0.5", "--cpu", "2")
    order = [
        path for method, path in world.writes if method.startswith("DELETE") or "resize" in path
    ]
    kinds = ["generator" if path.endswith("-0") or path.endswith("-1") else path for path in order]
    assert kinds[0] == "generator"
    assert kinds[1].endswith("/resize")


def test_a_profile_that_is_there_is_added_to_and_the_change_is_told(world: ClusterWorld) -> None:
    deployment(world)
    invoke(*TARGET, "--cpu", "1", "--slo-ms", "100")
    result = invoke(*TARGET, "--cpu", "2", "--slo-ms", "100", "--accuracy", "0.9")
    assert len(world.objects[PROFILE]["spec"]["allocations"]) == 2
    assert "cpu=2, batch size 1: added" in result.output
    assert "accuracy: 0.7 → 0.9" in result.output
    again = invoke(*TARGET, "--cpu", "2", "--slo-ms", "100", "--accuracy", "0.9")
    assert "cpu=2, batch size 1: replaced" in again.output
    assert "capacity at p99 ≤ 100 ms: 400 → 400" in again.output


def test_a_file_takes_the_profile_and_the_cluster_none(world: ClusterWorld, tmp_path: Path) -> None:
    deployment(world)
    file = tmp_path / "profiles.yaml"
    result = invoke(*TARGET, "--output", str(file))
    assert result.exit_code == 0, result.output
    (document,) = yaml.safe_load_all(file.read_text())
    assert document["metadata"] == {"name": "r18", "namespace": NAMESPACE}
    assert PROFILE not in world.objects


def test_a_services_variant_is_measured_at_the_services_slo(world: ClusterWorld) -> None:
    container = {"name": "server", "image": "a", "ports": [{"containerPort": 9000}]}
    variant = {
        "name": "small",
        "profileRef": {"name": "r18"},
        "port": 9001,
        "template": {"spec": {"containers": [container]}},
    }
    borrowed = {"name": "big", "profileRef": {"name": "r50"}, "deploymentRef": {"name": "r18"}}
    spec = {
        "slo": {"latencyMilliseconds": 250, "percentile": 95},
        "variants": [variant, borrowed],
    }
    world.put(custom(GROUP, VERSION, NAMESPACE, SERVICES, "resnet"), {"spec": spec})
    deployment(world)
    service = ("--namespace", NAMESPACE, "--cpu", "1", "--kubernetes")
    result = invoke(*service, "infsvc/resnet:small")
    assert result.exit_code == 0, result.output
    command = world.jobs[1]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[2] == "http://10.0.0.7:9001/v2/models/resnet/infer"
    assert (option(command, "--slo-ms"), option(command, "--percentile")) == ("250", "95.0")
    assert invoke(*service, "infsvc/resnet:big").exit_code == 0
    assert PROFILE.replace("r18", "r50") in world.objects
    absent = invoke(*service, "infsvc/resnet:huge")
    assert absent.exit_code == 2
    assert "has no variant huge; it has small, big" in absent.output


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            {"container": {"state": {"waiting": {"reason": "ErrImagePull", "message": "gone"}}}},
            "The image of a clone of deployment/r18 with 500m CPU can't be pulled: gone.",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu.",
                    }
                ]
            },
            "No node has room for a clone of deployment/r18 with 500m CPU: no node is available: "
            "Insufficient cpu.",
        ),
        ({}, "was not Ready within 90 s; --start-timeout gives it longer."),
    ],
)
def test_a_clone_that_does_not_come_says_why_and_goes(
    world: ClusterWorld, status: dict[str, Any], sentence: str
) -> None:
    deployment(world)
    world.status_of_clone = lambda: unready(**copy.deepcopy(status))
    result = invoke(*TARGET, "--start-timeout", "90")
    assert result.exit_code == 3
    assert sentence in result.output
    assert world.left == []
    assert PROFILE not in world.objects


def test_a_clone_that_crashes_is_not_waited_for(world: ClusterWorld) -> None:
    deployment(world)
    world.status_of_clone = lambda: over(7)
    result = invoke(*TARGET)
    assert result.exit_code == 3
    assert "crashes: container server ended with status 7: Error." in result.output
    assert world.left == []


def test_a_quota_is_read_from_the_jobs_events(world: ClusterWorld) -> None:
    deployment(world)
    world.refuses_pods = 'pods "x" is forbidden: exceeded quota: q, requested: cpu=1'
    result = invoke(*TARGET)
    assert result.exit_code == 3
    assert "exceeded quota: q" in result.output
    assert world.left == []


@pytest.mark.parametrize("code", [1, 2, 3])
def test_the_profilers_status_is_ours_and_nothing_is_applied(
    world: ClusterWorld, code: int
) -> None:
    deployment(world)
    world.generated = lambda command: ("infadapter: Nothing was written: others.\n", code)
    result = invoke(*TARGET)
    assert result.exit_code == code
    assert "Nothing was written: others." in result.output
    assert (world.left, PROFILE in world.objects) == ([], False)


def test_a_clone_that_is_lost_ends_the_measuring(world: ClusterWorld) -> None:
    deployment(world)

    def lost(command: list[str]) -> tuple[str, int]:
        (path,) = [path for path in world.objects if "/pods/" in path]
        world.objects[path]["status"] = {"phase": "Failed", "reason": "Evicted", "message": "disk"}
        return "No server answers\n", 1

    world.generated = lost
    result = invoke(*TARGET)
    assert result.exit_code == 3
    assert "The clone was lost while it was measured: Evicted: disk." in result.output
    assert world.left == []


def test_what_was_measured_is_kept_in_a_file_where_it_can_not_be_applied(
    world: ClusterWorld, tmp_path: Path
) -> None:
    deployment(world)

    def measured(command: list[str]) -> tuple[str, int]:
        world.refuse = forbidden("variantprofiles")
        return told(command)

    told, world.generated = world.generated, measured
    result = invoke(*TARGET)
    assert result.exit_code == 1
    assert "What was measured is in r18.yaml." in result.output
    assert (tmp_path / "r18.yaml").exists()
    assert world.left == []


@pytest.fixture
def hangups() -> Iterator[None]:
    """Who runs the tests under nohup ignores SIGHUP, and so would what they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_takes_the_clone_with_it(world: ClusterWorld, number: signal.Signals) -> None:
    deployment(world)

    def interrupted() -> dict[str, Any]:
        signal.raise_signal(number)
        return unready()

    world.status_of_clone = interrupted
    result = invoke(*TARGET)
    assert result.exit_code == 130
    assert world.left == []


def test_a_clone_that_can_not_be_deleted_is_told_of(world: ClusterWorld) -> None:
    deployment(world)
    gone = PlatformUnavailable("the API server did not answer")
    world.refuse = lambda method, path: gone if method == "DELETE" else None
    result = invoke(*TARGET)
    assert result.exit_code == 0
    assert "It ends by itself within" in result.output


def deadlines(world: ClusterWorld) -> list[int]:
    """Of the clones' Jobs, as they are renewed."""
    return [job["spec"]["activeDeadlineSeconds"] for job in world.renewed]


def test_a_clone_is_leased_for_two_minutes_however_much_is_to_be_measured(
    world: ClusterWorld,
) -> None:
    deployment(world)
    asked = ("--cpu", "1", "--cpu", "2", "--points", "all", "--seconds", "3600")
    assert invoke(*TARGET, *asked).exit_code == 0
    clone, *_ = world.jobs
    assert clone["spec"]["activeDeadlineSeconds"] == 120
    assert deadlines(world) == [120]  # it was over before half a minute


def test_the_lease_grows_while_the_clone_is_measured_and_then_no_more(
    world: ClusterWorld,
) -> None:
    deployment(world)
    world.status_of_clone = lambda: unready(conditions=[dict(NO_ROOM)])
    assert invoke(*TARGET, "--start-timeout", "100").exit_code == 3
    assert deadlines(world) == [120, 150, 180, 210]
    assert world.left == []


def test_a_renewal_that_is_not_answered_is_tried_again(world: ClusterWorld) -> None:
    deployment(world)
    world.status_of_clone = lambda: unready(conditions=[dict(NO_ROOM)])
    tried: list[str] = []

    def refuse(method: str, path: str) -> Exception | None:
        if method != "PATCH" or "/jobs/" not in path:
            return None
        tried.append(path)
        return PlatformUnavailable("no answer") if 1 < len(tried) <= 3 else None

    world.refuse = refuse
    assert invoke(*TARGET, "--start-timeout", "140").exit_code == 3
    assert len(tried) == 5
    assert deadlines(world) == [120, 210, 240]


def test_who_may_not_renew_the_lease_is_told_at_once_and_no_clone_stays(
    world: ClusterWorld,
) -> None:
    deployment(world)
    forbids = ApiRefusal(403, "Forbidden", 'cannot patch resource "jobs"')
    world.refuse = lambda method, path: forbids if method == "PATCH" and "/jobs/" in path else None
    result = invoke(*TARGET)
    assert result.exit_code == 2
    assert 'cannot patch resource "jobs"; manifests/examples/profiler.yaml' in result.output
    assert world.left == []


@pytest.mark.parametrize("what", ["jobs", "variantprofiles"])
def test_what_is_forbidden_is_said_before_anything_is_measured(
    world: ClusterWorld, what: str
) -> None:
    deployment(world)
    world.refuse = forbidden(what)
    result = invoke(*TARGET)
    assert result.exit_code == 2
    assert f'cannot create resource "{what}"' in result.output
    assert "profiler.yaml is the Role" in result.output
    assert world.jobs == []


def test_what_somebody_else_applied_is_not_taken_over(world: ClusterWorld) -> None:
    deployment(world)
    conflict = ApiRefusal(409, "Conflict", "conflict with kubectl", ("FieldManagerConflict",))
    world.refuse = lambda method, path: conflict if method == "PATCH" else None
    result = invoke(*TARGET)
    assert result.exit_code == 2
    assert "--force-conflicts" in result.output
    assert world.jobs == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--kubernetes", "r18"), "neither deployment/NAME nor infsvc/NAME:VARIANT"),
        (("--kubernetes", "infsvc/a"), "neither deployment/NAME nor infsvc/NAME:VARIANT"),
        (("--kubernetes", "deployment/a"), "Missing option '--namespace'"),
        (("--kubernetes", "deployment/a", "--namespace", "vision"), "There is no Deployment a"),
        (("--kubernetes", "infsvc/a:b", "--namespace", "vision"), "There is no service a"),
        ((*TARGET, "http://h/v2/models/m/infer"), "Give a URL, or --kubernetes."),
        ((), "Give a URL, or --kubernetes."),
        (("http://h/v2/models/m/infer", "--port", "1"), "--port goes with --kubernetes only"),
        ((*TARGET, "--start", "x"), "--start goes with a URL only"),
        ((*TARGET, "--output", "-"), "to a file"),
        ((*TARGET, "--batch-size", "1", "--batch-size", "2"), "--kubernetes takes one"),
        ((*TARGET, "--container", "other"), "deployment/r18 has no container other"),
        (TARGET, "says no CPU for its container server; --cpu gives it some."),
    ],
)
def test_bad_input_is_a_sentence(
    world: ClusterWorld, arguments: tuple[str, ...], sentence: str
) -> None:
    deployment(world, cpu=None)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert world.jobs == []


def test_references_are_spelled_as_kubectl_does() -> None:
    assert str(parse_reference("deploy/a")) == "deployment/a"
    assert str(parse_reference("inferenceservice/a:b")) == "infsvc/a:b"


def test_a_profile_that_is_malformed_is_not_replaced(world: ClusterWorld) -> None:
    deployment(world)
    world.put(PROFILE, {"spec": {}})
    result = invoke(*TARGET)
    assert result.exit_code == 2
    assert "can't be added to: the profile r18 lacks" in result.output
    assert world.jobs == []


def test_pods_are_found_by_the_clones_own_label(world: ClusterWorld) -> None:
    deployment(world)
    other = {"spec": {"containers": []}, "status": ready()}
    world.put(core(NAMESPACE, "pods", "r18-1"), other)
    assert invoke(*TARGET).exit_code == 0
    assert core(NAMESPACE, "pods", "r18-1") in world.objects


def with_points(words: list[str]) -> tuple[str, int]:
    """What the profiler prints of a server that has operating points."""
    text, code = measured(words)
    told = json.loads(text.splitlines()[-1])
    (row,) = told["spec"]["allocations"]
    points = [{"name": "a", "accuracy": "0.9"}, {"name": "b", "accuracy": "0.8"}]
    rows = [{**row, "operatingPoint": point["name"]} for point in points]
    told["spec"] |= {"accuracy": "0.9", "operatingPoints": points, "allocations": rows}
    return json.dumps(told), code


def test_the_points_of_a_clone_are_rows_and_its_next_size_has_the_same(world: ClusterWorld) -> None:
    deployment(world)
    world.generated = with_points
    result = invoke(*TARGET, "--cpu", "1", "--cpu", "2", "--slo-ms", "100")
    assert result.exit_code == 0, result.output
    spec = world.objects[PROFILE]["spec"]
    rows = [(a["resources"]["cpu"], a["operatingPoint"]) for a in spec["allocations"]]
    assert rows == [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]
    assert [point["name"] for point in spec["operatingPoints"]] == ["a", "b"]
    assert "cpu=2, batch size 1, b: added" in result.output
    first, second = (job["spec"]["template"]["spec"]["containers"][0] for job in world.jobs[1:])
    assert "--points" not in first["command"]
    assert option(second["command"], "--points") == "a,b"
    assert world.left == []


def test_a_plain_profile_is_not_added_to_by_a_server_with_points(world: ClusterWorld) -> None:
    deployment(world)
    assert invoke(*TARGET, "--cpu", "1").exit_code == 0
    world.generated = with_points
    result = invoke(*TARGET, "--cpu", "2")
    assert result.exit_code == 2
    assert "has no operating points and the server has some" in result.output
    assert len(world.objects[PROFILE]["spec"]["allocations"]) == 1
    assert world.left == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"clusters: 5", None])
def test_a_kubeconfig_that_can_not_be_used_is_a_sentence_and_status_2(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if content is not None:
        (tmp_path / "config").write_bytes(content)
    result = invoke("--kubernetes", "infsvc/a:b", "--namespace", "x", "--cpu", "1")
    assert result.exit_code == 2
    assert str(tmp_path / "config") in result.stderr
    assert "Set KUBECONFIG to the kubeconfig of a cluster" in result.stderr
