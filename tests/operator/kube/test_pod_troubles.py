"""Reasons why pods do not become Ready, from pod statuses as the API server reports them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.names import TEMPLATE_ANNOTATION
from infadapter_operator.domain.observed import Cause, Resize, Trouble
from infadapter_operator.kube.messages import MAX_MESSAGE_CHARS, of_image, of_scheduler, stable
from infadapter_operator.kube.objects import Server
from infadapter_operator.kube.read import pod_of
from infadapter_operator.kube.running import Running, observed
from infadapter_operator.kube.statuses import seconds
from infadapter_operator.kube.templates import digest_of
from infadapter_operator.kube.troubles import refusal_of, trouble_of
from infadapter_solver.problem import Target
from tests.operator.kube.fakes import Json, template, workload

CREATED, STARTED, LATER = (f"2026-01-01T00:0{minute}:00Z" for minute in (0, 1, 5))
TARGET, SERVER = Target("r18"), Server("server", 9000)
UID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def condition(
    kind: str, status: str, reason: str = "", message: str = "", at: str = STARTED
) -> Json:
    told = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": at}
    return told | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


UNREADY = (
    condition("Ready", "False", "ContainersNotReady", "containers with unready status: [server]"),
    condition("ContainersReady", "False", "ContainersNotReady"),
)


def container(state: Json, last: Json | None = None, restarts: int = 0, **more: Any) -> Json:
    return {
        "name": "server",
        "image": "example/server:2",
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
        **more,
    }


def waiting(reason: str, message: str | None = None, **more: Any) -> Json:
    told = {"reason": reason} | ({"message": message} if message else {})
    return container({"waiting": told}, **more)


def terminated(code: int, reason: str, message: str = "") -> Json:
    ended = {"exitCode": code, "reason": reason, "startedAt": STARTED, "finishedAt": LATER}
    return {"terminated": ended | ({"message": message} if message else {})}


def a_pod(
    *containers: Json, conditions: Any = UNREADY, init: Any = (), spec: Any = (), **status: Any
) -> Json:
    return {
        "metadata": {
            "name": "resnet-r18-57c8d-x2x4f",
            "uid": UID,
            "creationTimestamp": CREATED,
            "labels": {"pod-template-hash": "57c8d"},
        },
        "spec": {**template()["spec"], **dict(spec)},
        "status": {
            "phase": "Pending",
            "conditions": list(conditions),
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
            **status,
        },
    }


def seen(pod: Json) -> Trouble | None:
    found = pod_of(pod, TARGET, SERVER)
    assert found is not None
    return found.trouble


BACK_OFF = (
    f"back-off 40s restarting failed container=server pod=resnet-r18-57c8d-x2x4f_vision({UID})"
)
NO_IMAGE = 'failed to pull and unpack image "docker.io/example/server:2": not found'
NO_SECRET = 'secret "weights" not found'
NO_COMMAND = 'exec: "serve": executable file not found in $PATH: unknown'
NODES = (
    "0/5 nodes are available: 2 node(s) had untolerated taint {gpu: true}, 3 Insufficient cpu."
    " preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod."
)


@pytest.mark.parametrize(
    ("pod", "cause", "words"),
    [
        (a_pod(waiting("ErrImagePull", NO_IMAGE)), Cause.IMAGE, NO_IMAGE),
        (
            a_pod(waiting("ImagePullBackOff", 'Back-off pulling image "example/server:2"')),
            Cause.IMAGE,
            'Back-off pulling image "example/server:2"',
        ),
        (
            a_pod(
                waiting(
                    "ImagePullBackOff",
                    f'Back-off pulling image "example/server:2": ErrImagePull: {NO_IMAGE}',
                )
            ),
            Cause.IMAGE,
            NO_IMAGE,
        ),
        (a_pod(waiting("InvalidImageName")), Cause.IMAGE, "example/server:2: InvalidImageName"),
        (a_pod(waiting("ErrImageNeverPull", "not present")), Cause.IMAGE, "not present"),
        (a_pod(waiting("RegistryUnavailable", "i/o timeout")), Cause.IMAGE, "i/o timeout"),
        (a_pod(waiting("CreateContainerConfigError", NO_SECRET)), Cause.CONFIG, NO_SECRET),
        (a_pod(waiting("CreateContainerError", "name in use")), Cause.CONFIG, "name in use"),
        (a_pod(waiting("RunContainerError", NO_COMMAND)), Cause.CONFIG, NO_COMMAND),
        (a_pod(waiting("FailedMount", "no such volume")), Cause.CONFIG, "no such volume"),
        (
            a_pod(waiting("CrashLoopBackOff", BACK_OFF, last=terminated(137, "OOMKilled"))),
            Cause.CRASH,
            "container server ends with exit code 137 (OOMKilled)",
        ),
        (
            a_pod(container(terminated(1, "Error"), restarts=2)),
            Cause.CRASH,
            "container server ends with exit code 1",
        ),
        (
            a_pod(waiting("CrashLoopBackOff", BACK_OFF)),
            Cause.CRASH,
            "container server ends again and again",
        ),
        (
            a_pod(
                waiting(
                    "CrashLoopBackOff", BACK_OFF, last=terminated(128, "StartError", NO_COMMAND)
                )
            ),
            Cause.CONFIG,
            NO_COMMAND,
        ),
        (
            a_pod(
                waiting("PodInitializing"),
                init=[waiting("ImagePullBackOff", "no such image", name="fetch")],
            ),
            Cause.IMAGE,
            "no such image",
        ),
        (
            a_pod(conditions=[condition("PodScheduled", "False", "Unschedulable", NODES)]),
            Cause.NO_NODE,
            "no node is available: Insufficient cpu, node(s) had untolerated taint {gpu: true}",
        ),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, dict) else "",
)
def test_each_cause_is_told_in_the_platforms_words(pod: Json, cause: Cause, words: str) -> None:
    found = seen(pod)
    assert found is not None
    assert (found.cause, found.since_s) == (cause, seconds(STARTED))
    assert found.message.endswith(words)


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(waiting("ContainerCreating")),
        a_pod(),
        a_pod(container({"running": {"startedAt": LATER}}, terminated(1, "Error"), restarts=1)),
        a_pod(container(terminated(1, "Error"))),
        a_pod(waiting("PodInitializing"), init=[container(terminated(0, "Completed"), restarts=1)]),
        a_pod(conditions=[condition("PodScheduled", "False", "SchedulingGated")]),
        a_pod(waiting("CrashLoopBackOff"), conditions=[condition("Ready", "True")]),
    ],
)
def test_what_may_still_come_or_is_ready_is_no_trouble(pod: Json) -> None:
    assert seen(pod) is None


AGAIN = container({"running": {"startedAt": LATER}}, terminated(3, "Error"), restarts=2)


def test_a_crash_loop_is_one_also_while_its_container_runs_again() -> None:
    """Otherwise its condition would change with every restart."""
    found = seen(a_pod(AGAIN))
    assert found is not None
    assert (found.cause, found.since_s) == (Cause.CRASH, seconds(STARTED))
    assert found.message == "container server ends with exit code 3"


@pytest.mark.parametrize(
    "conditions", [[], [condition("Ready", "False", at="2026-01-01T00:06:00Z")]]
)
def test_what_crashed_long_ago_and_was_ready_since_is_no_crash_loop(conditions: list[Json]) -> None:
    assert seen(a_pod(AGAIN, conditions=conditions)) is None


def test_a_pod_that_is_not_ready_says_since_when() -> None:
    for conditions, since_s in ((UNREADY, seconds(STARTED)), ([], None)):
        pod = pod_of(a_pod(conditions=conditions), TARGET, SERVER)
        assert pod is not None
        assert pod.unready_since_s == since_s


def test_a_pod_that_is_stopped_is_expected_to_end() -> None:
    pod = a_pod(container(terminated(137, "Error"), restarts=1))
    pod["metadata"]["deletionTimestamp"] = LATER
    assert seen(pod) is None


def test_a_crash_of_a_pod_that_was_ready_counts_from_its_end() -> None:
    """The kubelet has not reported yet that the pod is no longer Ready."""
    found = seen(a_pod(container(terminated(1, "Error"), restarts=1), conditions=[]))
    assert found is not None
    assert found.since_s == seconds(LATER)


# --- a node that does not answer -----------------------------------------------------------------

LOST = (condition("ContainersReady", "True"), condition("Ready", "False", at=LATER))


def test_a_pod_whose_containers_are_ready_and_which_is_not_is_on_a_lost_node() -> None:
    found = seen(a_pod(conditions=LOST, phase="Running"))
    assert found is not None
    assert (found.cause, found.since_s) == (Cause.NODE_LOST, seconds(LATER))


def test_an_open_readiness_gate_is_no_lost_node() -> None:
    spec = {"readinessGates": [{"conditionType": "example.com/in-lb"}]}
    assert seen(a_pod(conditions=LOST, spec=spec)) is None
    passed = (*LOST, condition("example.com/in-lb", "True"))
    assert seen(a_pod(conditions=passed, spec=spec)) is not None


def test_a_pod_that_is_to_go_from_a_lost_node_is_lost() -> None:
    pod = a_pod(conditions=LOST)
    pod["metadata"]["deletionTimestamp"] = LATER
    found = pod_of(pod, TARGET, SERVER)
    assert found is not None
    assert (found.is_lost, found.leaving) == (True, True)


def test_a_status_may_say_it_itself() -> None:
    said = "Node node-7 which was running pod resnet-r18-57c8d-x2x4f is unresponsive"
    found = seen(a_pod(reason="NodeLost", message=said))
    assert found is not None
    assert found.message == "Node node-7 which was running pod … is unresponsive"


def test_a_kubelet_that_fails_to_resize_says_so() -> None:
    told = condition("PodResizeInProgress", "True", "Error", "cgroup: device or resource busy")
    pod = pod_of(a_pod(conditions=[told]), TARGET, SERVER)
    assert pod is not None
    assert (pod.resize, pod.resize_since_s) == (Resize.FAILING, seconds(STARTED))


# --- Deployments ---------------------------------------------------------------------------------

MADE = workload()


def a_deployment(*conditions: Json, generation: int = 1, **status: Any) -> Json:
    return {
        "metadata": {
            "name": "resnet-r18",
            "generation": generation,
            "creationTimestamp": CREATED,
            "annotations": {TEMPLATE_ANNOTATION: MADE.digest},
        },
        "spec": {"replicas": 1, "template": template()},
        "status": {"observedGeneration": 1, "conditions": list(conditions), **status},
    }


def running(deployment: Json, *pods: Json, **changes: Any) -> Running:
    given: Json = {"workload": MADE, **changes}
    return Running(target=TARGET, deployment=deployment, server=SERVER, pods=pods, **given)


QUOTA = (
    'pods "resnet-r18-57c8d-{}" is forbidden: exceeded quota: team, requested: cpu=2,'
    " used: cpu={}, limited: cpu=8"
)


def test_what_keeps_a_deployment_from_making_pods_is_a_refusal() -> None:
    first, next_one = (
        observed(
            [running(a_deployment(condition("ReplicaFailure", "True", "FailedCreate", words)))],
            frozenset(),
        ).refusals[TARGET]
        for words in (QUOTA.format("abcde", 7), QUOTA.format("fghij", 8))
    )
    assert first == next_one
    assert (first.cause, first.since_s) == (Cause.REFUSED, seconds(STARTED))
    assert first.message == (
        "pods are forbidden: exceeded quota: team, requested: cpu=2, limited: cpu=8"
    )


def test_a_deployment_that_makes_its_pods_has_no_refusal() -> None:
    for failures in ((), (condition("ReplicaFailure", "False"),)):
        assert observed([running(a_deployment(*failures))], frozenset()).refusals == {}


def test_the_digest_is_that_of_the_template_and_not_of_its_sizes() -> None:
    def borrowed(deployment: Json) -> str:
        seen = observed([running(deployment, borrowed=True)], frozenset())
        return seen.digests[TARGET]

    sized, other, restarted = a_deployment(), a_deployment(), a_deployment()
    sized["spec"]["template"] = template(resources={"limits": {"cpu": "4"}})
    other["spec"]["template"] = template(image="example/server:3")
    restarted["spec"]["template"]["metadata"] = {"annotations": {"restartedAt": LATER}}
    assert borrowed(sized) == borrowed(a_deployment())
    assert len({borrowed(each) for each in (a_deployment(), other, restarted)}) == 3
    assert observed([running(other)], frozenset()).digests == {TARGET: MADE.digest}
    assert observed([running(other, workload=None)], frozenset()).digests == {}
    assert len(digest_of(other)) == 16


NEWER = condition(
    "Progressing", "True", "ReplicaSetUpdated", 'ReplicaSet "resnet-r18-99aaa" is progressing.'
)


@pytest.mark.parametrize(
    ("deployment", "changes", "outdated"),
    [
        (a_deployment(replicas=1, updatedReplicas=1), {}, False),
        (a_deployment(NEWER, replicas=2, updatedReplicas=1), {}, True),
        (a_deployment(NEWER, replicas=1, updatedReplicas=1), {}, False),
        (a_deployment(replicas=2, updatedReplicas=1), {}, False),
        (a_deployment(generation=2, replicas=1, updatedReplicas=1), {}, True),
        (a_deployment(), {"workload": workload(port=1)}, True),
    ],
    ids=["settled", "rolls", "rolled", "rolls somehow", "not noticed", "to be written"],
)
def test_pods_of_an_earlier_template_are_known(
    deployment: Json, changes: Json, outdated: bool
) -> None:
    seen = observed([running(deployment, a_pod(), **changes)], frozenset())
    assert [pod.outdated for pod in seen.pods] == [outdated]


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BACK_OFF, BACK_OFF.replace("40s", "2m40s").replace("x2x4f", "abcde")),
        (f"pod {UID} is gone", f"pod {UID.replace('1b9d', '2c8e')} is gone"),
        ("dial 10.0.0.1:4711->10.0.0.2:443: timeout", "dial 10.0.0.1:815->10.0.0.2:443: timeout"),
        ('name reserved for "' + 64 * "a" + '"', 'name reserved for "' + 64 * "b" + '"'),
    ],
)
def test_what_differs_from_try_to_try_is_left_out(one: str, other: str) -> None:
    assert stable(one, "resnet-r18-57c8d-x2x4f") == stable(other, "resnet-r18-57c8d-abcde")


def test_what_names_the_image_stays() -> None:
    image = "example/server@sha256:" + 64 * "a"
    assert stable(f"{image} not found") == f"{image} not found"
    assert of_image(f'Back-off pulling image "{image}": ErrImagePull: denied') == "denied"


def test_how_many_nodes_there_are_changes_nothing() -> None:
    more = NODES.replace("0/5", "0/12").replace("3 Insufficient", "10 Insufficient")
    assert of_scheduler(more) == of_scheduler(NODES)
    assert of_scheduler("no nodes available to schedule pods").startswith("no nodes available")


@given(st.text(max_size=600))
def test_words_are_short_and_made_stable_once(message: str) -> None:
    words = stable(message)
    assert len(words) <= MAX_MESSAGE_CHARS
    assert len(of_image(message)) <= MAX_MESSAGE_CHARS
    assert len(of_scheduler(message)) <= MAX_MESSAGE_CHARS


# --- property-based tests -------------------------------------------------------------------

SCALAR = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "True", "False", LATER])
KINDS = ("Ready", "ContainersReady", "PodScheduled", "ReplicaFailure")
RESIZES = ("PodResizePending", "PodResizeInProgress")
REASONS = ("Error", "CrashLoopBackOff", "ImagePullBackOff", "Unschedulable")
WORD = SCALAR | st.sampled_from([*KINDS, *RESIZES, *REASONS])
STATE = st.dictionaries(
    st.sampled_from(["reason", "message", "exitCode", "finishedAt", "startedAt"]), WORD
)
STATES = SCALAR | st.dictionaries(
    st.sampled_from(["waiting", "running", "terminated"]), SCALAR | STATE
)
CONTAINERS = SCALAR | st.lists(
    SCALAR
    | st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("server") | SCALAR,
            "image": SCALAR,
            "restartCount": SCALAR,
            "state": STATES,
            "lastState": STATES,
            "resources": SCALAR
            | st.dictionaries(st.just("requests"), SCALAR | st.just({"cpu": "x"})),
        },
    ),
    max_size=2,
)
CONDITIONS = SCALAR | st.lists(
    SCALAR
    | st.dictionaries(
        st.sampled_from(["type", "status", "reason", "message", "lastTransitionTime"]), WORD
    ),
    max_size=4,
)
STATUS = SCALAR | st.fixed_dictionaries(
    {},
    optional={
        "phase": WORD,
        "reason": WORD,
        "message": WORD,
        "podIP": SCALAR,
        "conditions": CONDITIONS,
        "containerStatuses": CONTAINERS,
        "initContainerStatuses": CONTAINERS,
    },
)


@given(STATUS)
def test_no_status_stops_the_loop(status: Any) -> None:
    pod = a_pod() | {"status": status}
    found = pod_of(pod, TARGET, SERVER)
    assert found is not None
    assert found.trouble == trouble_of(pod)
    refusal = refusal_of(a_deployment() | {"status": status})
    for trouble in (found.trouble, refusal):
        assert trouble is None or (trouble.message and len(trouble.message) <= MAX_MESSAGE_CHARS)
