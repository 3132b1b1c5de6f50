"""Profiling a clone of a pod with minimal permissions; the clone is always deleted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infadapter.cluster.jobs import PROFILE_LABEL
from infadapter.cluster.lease import LEASE_S
from infadapter_operator.domain.names import PROFILES
from tests.e2e.figures import Figures
from tests.e2e.host import ROOT, server_template
from tests.e2e.kube import Kube, has_crds, recording, run, wait_for
from tests.e2e.services import cpu_resources, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

Json = dict[str, Any]
OWN, MODEL, USER = "profiled", "glyphs", "profiler"
ROLES, ROLE = "roles", "infadapter-profiler"
SIZES = ("--cpu", "300m", "--cpu", "400m")
GOAL = ("--slo-ms", "400", "--percentile", "90")


@pytest.fixture(scope="module")
def kinds(kube: Kube) -> Iterator[None]:
    """Install the CRDs for these tests, unless they exist: profiling needs no operator."""
    files = str(ROOT / "manifests/crds")
    ours = not has_crds(kube)
    if ours:
        run("kubectl", "apply", "--server-side", "-f", files)
        run("kubectl", "wait", "--for=condition=Established", "-f", files)
    yield
    if ours:
        run("kubectl", "delete", "-f", files)


@pytest.fixture(scope="module")
def deployment(kube: Kube, node: str, kinds: None) -> Iterator[str]:
    """A Deployment with one serving pod behind a Service."""
    labels = {"app": OWN}
    template = server_template("glyph-1", MODEL, labels=labels)
    container = template["spec"]["containers"][0]
    container["resources"] = cpu_resources(100)
    programs = {"name": "PATH", "value": f"{sys.prefix}/bin:/usr/bin:/bin"}
    container["env"] = [*container["env"], programs]
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    kube.create("deployments", {"metadata": {"name": OWN}, "spec": spec})
    ports = [{"port": 80, "targetPort": 8080}]
    kube.create(
        "services", {"metadata": {"name": OWN}, "spec": {"selector": labels, "ports": ports}}
    )
    wait_for("the pod that carries load", lambda: _ready(kube, labels), 120)
    yield OWN
    kube.delete("services", OWN)
    kube.delete("deployments", OWN, propagationPolicy="Foreground")


@pytest.fixture(scope="module")
def user(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has only the Role of the examples."""
    space = ("-n", kube.namespace)
    run("kubectl", "apply", *space, "-f", str(ROOT / "manifests/examples/profiler.yaml"))
    run("kubectl", "create", *space, "serviceaccount", USER)
    account = f"--serviceaccount={kube.namespace}:{USER}"
    run("kubectl", "create", *space, "rolebinding", USER, f"--role={ROLE}", account)
    token = run("kubectl", "create", *space, "token", USER).strip()
    config = json.loads(run("kubectl", "config", "view", "--raw", "--minify", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    file: Path = tmp_path_factory.mktemp("user") / "kubeconfig"
    file.write_text(json.dumps(config))
    return {**os.environ, "KUBECONFIG": str(file)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(
    kube: Kube, deployment: str, user: dict[str, str], number: signal.Signals
) -> None:
    ran = start(kube, user, *SIZES, "--seconds", "60")
    wait_for("the generator runs", lambda: len(left(kube)) == 2, 120)
    ran.send_signal(number)
    ran.communicate(timeout=60)
    assert ran.returncode == 130
    wait_for("nothing is left", lambda: not left(kube), 60)


def test_whoever_is_killed_leaves_a_job_that_ends_by_itself(
    kube: Kube, deployment: str, user: dict[str, str]
) -> None:
    """The Job ends two minutes after its lease was last renewed; the test shortens that."""
    ran = start(kube, user, *SIZES, "--seconds", "60")
    began_s = time.monotonic()
    wait_for("the generator runs", lambda: len(left(kube)) == 2, 120)
    ran.kill()
    ran.communicate(timeout=60)
    (job,) = [job for job in kube.list("jobs") if "ownerReferences" not in job["metadata"]]
    assert job["spec"]["activeDeadlineSeconds"] <= time.monotonic() - began_s + LEASE_S
    soon = {"spec": {"activeDeadlineSeconds": 1, "ttlSecondsAfterFinished": 1}}
    kube.patch("jobs", job["metadata"]["name"], soon)
    wait_for("nothing is left", lambda: not left(kube) and not kube.list("jobs"), 60)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--cpu", "64", "--start-timeout", "5"), "No node has room for a clone"),
        (("--cpu", "300m", "--image", "localhost:9/none:1"), "The image of the profiler"),
    ],
)
def test_what_does_not_come_is_named(
    kube: Kube, deployment: str, user: dict[str, str], options: tuple[str, ...], sentence: str
) -> None:
    ran = start(kube, user, *options)
    said, _ = ran.communicate(timeout=120)
    assert ran.returncode == 3, said
    assert sentence in said
    wait_for("nothing is left", lambda: not left(kube), 60)


def test_a_quota_is_named(kube: Kube, deployment: str, user: dict[str, str]) -> None:
    run("kubectl", "create", "-n", kube.namespace, "quota", "small", "--hard=requests.cpu=1m")
    try:
        ran = start(kube, user, "--cpu", "300m")
        said, _ = ran.communicate(timeout=120)
    finally:
        run("kubectl", "delete", "-n", kube.namespace, "quota", "small")
    assert ran.returncode == 3, said
    assert "exceeded quota: small" in said
    wait_for("nothing is left", lambda: not left(kube), 60)


def test_two_sizes_are_measured_on_a_clone_and_applied(
    kube: Kube, deployment: str, user: dict[str, str], figures: Figures
) -> None:
    before = _spec(kube)
    began_s = time.monotonic()
    with recording(kube, "pods", "endpointslices") as recorder:
        ran = start(kube, user, *SIZES, *GOAL, "--seconds", "12", "--force")
        said, _ = ran.communicate(timeout=240)
    assert ran.returncode == 0, said
    figures.note(
        "two sizes profiled in the cluster, 12 s each: all of it, s", time.monotonic() - began_s
    )
    profile = kube.get(PROFILES, "clone")
    assert [a["resources"]["cpu"] for a in profile["spec"]["allocations"]] == ["300m", "400m"]
    for allocation in profile["spec"]["allocations"]:
        (capacity,) = allocation["capacity"]
        assert float(capacity["rps"]) > 0
        cpu = allocation["resources"]["cpu"]
        figures.note(f"capacity of a clone of glyph-1 at {cpu}, rps", float(capacity["rps"]))
    pods = {one.name: one.object for one in recorder.since(0, "pods") if _is_profiles(one.object)}
    clones = [pod for pod in pods.values() if "ports" in pod["spec"]["containers"][0]]
    more = said.count("another is made")
    assert (len(clones), len(pods)) == (1 + more, 3 + more), said
    figures.note("clones that two sizes took: one, where the node resizes it", len(clones))
    told = json.dumps([one.object for one in recorder.since(0, "endpointslices")])
    addresses = [pod["status"].get("podIP", "none yet") for pod in clones]
    assert not any(address in told for address in addresses)
    assert _spec(kube) == before
    wait_for("nothing is left", lambda: not left(kube), 30)


def test_where_nobody_may_resize_each_size_has_a_clone_of_its_own(
    kube: Kube, deployment: str, user: dict[str, str]
) -> None:
    rules = kube.get(ROLES, ROLE)["rules"]
    without = [rule for rule in rules if rule["resources"] != ["pods/resize"]]
    kube.patch(ROLES, ROLE, {"rules": without})
    try:
        ran = start(kube, user, *SIZES, *GOAL, "--seconds", "6", "--force", name="anew")
        said, _ = ran.communicate(timeout=280)
    finally:
        kube.patch(ROLES, ROLE, {"rules": rules})
    assert ran.returncode == 0, said
    assert said.count("another is made") == 1, said
    profile = kube.get(PROFILES, "anew")
    assert [a["resources"]["cpu"] for a in profile["spec"]["allocations"]] == ["300m", "400m"]
    wait_for("nothing is left", lambda: not left(kube), 30)


def start(
    kube: Kube, user: dict[str, str], *options: str, name: str = "clone"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "infadapter", "profile", "--namespace", kube.namespace]
    command += ["--kubernetes", f"deployment/{OWN}", "--model", MODEL, "--name", name, *options]
    pipe, merged = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, stdout=pipe, stderr=merged, text=True, env=user)


def left(kube: Kube) -> list[Json]:
    return [pod for pod in kube.list("pods") if _is_profiles(pod)]


def _is_profiles(pod: Json) -> bool:
    return PROFILE_LABEL in (pod["metadata"].get("labels") or {})


def _ready(kube: Kube, labels: dict[str, str]) -> bool:
    pods = kube.list("pods", ",".join(f"{key}={value}" for key, value in labels.items()))
    return bool(pods) and all(is_ready(pod) for pod in pods)


def _spec(kube: Kube) -> tuple[Json, list[Json]]:
    """Return the specs of the Deployment and of its pods."""
    pods = kube.list("pods", f"app={OWN}")
    return kube.get("deployments", OWN)["spec"], [pod["spec"] for pod in pods]
