"""A Deployment adopted by `deploymentRef`: changed while a service uses it, restored afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infadapter_operator.domain.names import FIELD_MANAGER
from tests.e2e.figures import Figures
from tests.e2e.host import server_template
from tests.e2e.kube import Kube, run, wait_for
from tests.e2e.live import Live, cpu_in_force_m, restarts
from tests.e2e.load import share, steady
from tests.e2e.services import Rung, is_ready, service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]
NAME, OWN = "borrower", "theirs"
CPU_M = 250


def deployment() -> Json:
    """Return the Deployment as its owner wrote it."""
    labels = {"app": OWN}
    template = server_template("glyph-1", NAME, labels=labels)
    amounts = {"cpu": f"{CPU_M}m", "memory": "512Mi"}
    container = template["spec"]["containers"][0]
    container["resources"] = {"requests": amounts, "limits": amounts}
    container["readinessProbe"] = {
        "httpGet": {"path": "/v2/health/ready", "port": 8080},
        "periodSeconds": 1,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OWN, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture(params=["client-side", "server-side"])
def owner(request: pytest.FixtureRequest, kube: Kube, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The command by which its owner applies it, and which must succeed again afterwards."""
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(deployment()))
    way = ("--server-side",) if request.param == "server-side" else ()
    command = ("kubectl", "apply", *way, "-n", kube.namespace, "-f", str(file))
    run(*command)
    yield command
    kube.delete("deployments", OWN, propagationPolicy="Foreground")
    wait_for("it is gone", lambda: not pods(kube), 60)


def pods(kube: Kube) -> list[Json]:
    return kube.list("pods", f"app={OWN}")


def test_a_borrowed_deployment_goes_back_to_what_it_was(
    kube: Kube,
    operator: Kube,
    rungs: dict[str, Rung],
    owner: tuple[str, ...],
    figures: Figures,
) -> None:
    wait_for("their pod is Ready", lambda: any(map(is_ready, pods(kube))), 60)
    before = kube.get("deployments", OWN)
    [their_pod] = pods(kube)
    rps = 0.8 * rungs["glyph-1"].capacity_rps(500)
    variant = {
        "name": "glyph-1",
        "profileRef": {"name": "glyph-1"},
        "deploymentRef": {"name": OWN},
    }
    kube.create("inferenceservices", service(NAME, [variant]))
    live = Live(kube, NAME)
    try:
        live.wait_until_it_serves()
        with steady(live.url, rps) as load:
            live.wait_for_condition("MetricsFresh", "True")
            wait_for("it has grown", lambda: has_grown(kube), 60)
            wait_for("it is at rest", lambda: live.condition("Progressing") == "False", 60)
            outcomes = list(load.outcomes)
        borrowed = kube.get("deployments", OWN)
        grown = [cpu_in_force_m(pod) for pod in pods(kube)]
        figures.note("borrowed: replicas, millicores", [borrowed["spec"]["replicas"], grown])
        assert template_without_sizes(borrowed) == template_without_sizes(before)
        assert share(outcomes, lambda o: o.answered) >= 0.999
    finally:
        live.delete()
    assert_as_before(kube, before)
    wait_for("its pods are as they were", lambda: are_as_written(kube), 60)
    if their_pod["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in pods(kube)}:
        assert all(restarts(pod) == 0 for pod in pods(kube))
    run(*owner)  # must not conflict


def assert_as_before(kube: Kube, before: Json) -> None:
    after = kube.get("deployments", OWN)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert annotations(after) == annotations(before)
    assert not after["metadata"].get("finalizers")
    managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert FIELD_MANAGER not in managers


def has_grown(kube: Kube) -> bool:
    found = [cpu_in_force_m(pod) for pod in pods(kube) if is_ready(pod)]
    return sum(found) > CPU_M


def are_as_written(kube: Kube) -> bool:
    return [cpu_in_force_m(pod) for pod in pods(kube)] == [CPU_M]


def annotations(each: Json) -> Json:
    found: Json = each["metadata"].get("annotations") or {}
    return {k: v for k, v in found.items() if k != "deployment.kubernetes.io/revision"}


def template_without_sizes(each: Json) -> Json:
    """Return its template without sizes. Any change in it would roll the owner's pods."""
    template: Json = json.loads(json.dumps(each["spec"]["template"]))
    template["spec"]["containers"][0].pop("resources")
    return template
