"""One InferenceService on the cluster: its plan, its pods, and where its router sends."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3

from infadapter_operator.domain.names import (
    KIND_LABEL,
    SERVICE_LABEL,
    VARIANT_LABEL,
    kind_slug,
    router_name,
)
from infadapter_profiles.quantities import cpu_millicores
from tests.e2e.kube import Kube, wait_for
from tests.e2e.load import BODIES
from tests.e2e.services import is_ready

Json = dict[str, Any]
LEFT = (
    *("inferenceservices", "deployments", "replicasets", "pods", "services"),
    *("configmaps", "endpointslices", "httproutes"),
)
SETTLED_S = 12.0  # two planning intervals and a cycle without a new plan
EVEN_S = 6.0  # one of each, for even arrivals, which cause no new plan by chance
AGAIN_S = 1.0  # a cycle, after a wait for the turn


@dataclass(frozen=True, slots=True)
class Live:
    kube: Kube
    name: str

    @property
    def selector(self) -> str:
        return f"{SERVICE_LABEL}={self.name}"

    @property
    def object(self) -> Json:
        return self.kube.get("inferenceservices", self.name)

    @property
    def status(self) -> Json:
        status: Json = self.object.get("status") or {}
        return status

    @property
    def plan(self) -> Json:
        plan: Json = self.status.get("plan") or {}
        return plan

    def condition(self, kind: str) -> str:
        conditions = self.status.get("conditions") or ()
        return next((c["status"] for c in conditions if c["type"] == kind), "absent")

    def reason(self, kind: str) -> str:
        conditions = self.status.get("conditions") or ()
        return next((c["reason"] for c in conditions if c["type"] == kind), "absent")

    def why(self) -> str:
        """Return plan and conditions, for an assertion's message."""
        conditions = self.status.get("conditions") or ()
        bad = [f"{c['type']}={c['status']} {c['reason']}: {c['message']}" for c in conditions]
        return f"plan {self.plan.get('summary')}; " + "; ".join(bad)

    def deployments(self) -> list[Json]:
        return [d for d in self.kube.list("deployments", self.selector) if variant_of(d)]

    def pods(self) -> list[Json]:
        """Return the servers' pods that are not terminating."""
        pods = self.kube.list("pods", self.selector)
        return [p for p in pods if variant_of(p) and "deletionTimestamp" not in p["metadata"]]

    def routed(self) -> set[str]:
        """Return the names of the pods in the router's configuration."""
        config = self.kube.get("configmaps", router_name(self.name))
        kept = json.loads(config["data"]["last-good.json"])
        return {backend["pod"] for backend in kept["backends"]}

    @property
    def url(self) -> str:
        """The URL to which clients on this machine send requests."""
        address = self.kube.get("services", self.name)["spec"]["clusterIP"]
        return f"http://{address}:80/v2/models/{self.name}/infer"

    def wait_until_it_serves(self, seconds: float = 120) -> None:
        """Wait until its router is Ready, routes to a pod and answers."""
        wait_for(f"{self.name} has an address", lambda: self.kube.find("services", self.name), 60)
        wait_for(f"a router of {self.name} is Ready", lambda: self.ready_behind(self.name), 60)
        wait_for(f"{self.name} routes to a pod", self.routed, seconds)
        wait_for(f"{self.name} answers", self._answers, 30)

    def _answers(self) -> bool:
        """Whether a request is answered: the router knows a pod, and the node the router."""
        headers = {"Content-Type": "application/json"}
        answer = urllib3.request(
            "POST", self.url, body=BODIES[0], headers=headers, retries=False, timeout=2
        )
        return answer.status == 200

    def ready_behind(self, service: str) -> int:
        """Return the number of Ready endpoints of one of its Services."""
        slices = self.kube.list("endpointslices", f"kubernetes.io/service-name={service}")
        endpoints = [e for each in slices for e in each.get("endpoints") or ()]
        return sum(bool(e["conditions"]["ready"]) for e in endpoints)

    def wait_for_condition(self, kind: str, status: str, seconds: float = 90) -> None:
        try:
            wait_for(f"{kind}={status}", lambda: self.condition(kind) == status, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.why()}") from None

    def differences(self) -> list[str]:
        """Compare the plan with Deployments, Ready pods, sizes in force and routes."""
        plan = self.plan
        wanted = {key_of(p): p for p in plan.get("allocations", ())}
        found = [] if wanted else ["there is no plan"]
        pods = self.pods()
        for key, planned in wanted.items():
            its = [pod for pod in pods if labels_key(pod) == key]
            found += _differences(key, planned, its)
        found += [
            f"{p['metadata']['name']} is not planned" for p in pods if labels_key(p) not in wanted
        ]
        for deployment in self.deployments():
            planned = wanted.get(labels_key(deployment), {"pods": 0})
            if deployment["spec"]["replicas"] != planned["pods"]:
                found.append(f"{deployment['metadata']['name']} has other replicas than planned")
        if self._has_bundled_router() and not self.routed() <= {
            p["metadata"]["name"] for p in pods
        }:
            found.append(
                "the router sends elsewhere"
            )  # a planned pod of the least accurate variant may have no weight
        return found

    def versions(self) -> dict[str, str]:
        """Return each object's resourceVersion, which every write changes."""
        kinds = ("inferenceservices", "deployments", "pods", "services", "configmaps")
        return {
            f"{kind}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
            for kind in kinds
            for each in self.kube.list(kind)
            if self._belongs(kind, each)
        }

    def specs(self) -> dict[str, Any]:
        """Return the specs of its Deployments and pods."""
        found: dict[str, Any] = {d["metadata"]["name"]: d["spec"] for d in self.deployments()}
        return found | {p["metadata"]["uid"]: p["spec"] for p in self.pods()}

    @contextmanager
    def objective(self, weights: Json) -> Iterator[None]:
        """Set other weights until the block ends."""
        before = self.object["spec"]["objective"]
        self.kube.patch("inferenceservices", self.name, {"spec": {"objective": weights}})
        try:
            yield
        finally:
            self.kube.patch("inferenceservices", self.name, {"spec": {"objective": before}})

    def settle(self, still_s: float = SETTLED_S, seconds: float = 150) -> None:
        """Wait until the pods are as planned and the plan has not changed for `still_s`."""
        deadline, since_s, last = time.monotonic() + seconds, time.monotonic(), None
        found: list[str] = []
        while time.monotonic() < deadline:
            allocations, found = self.plan.get("allocations"), self.differences()
            if found or allocations != last:
                last, since_s = allocations, time.monotonic()
            elif time.monotonic() - since_s >= still_s:
                return
            time.sleep(0.5)
        raise AssertionError(f"not settled within {seconds:g} s: {found}; {self.why()}")

    def delete(self) -> None:
        self.kube.delete("inferenceservices", self.name)
        self.wait_until_gone()

    def wait_until_gone(self, seconds: float = 120) -> None:
        gone: Callable[[], bool] = lambda: not self.leftovers()  # noqa: E731
        try:
            wait_for(f"nothing of {self.name} is left", gone, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; left: {self.leftovers()}") from None

    def leftovers(self) -> list[str]:
        """Return all objects with the service's label, and the service itself."""
        return [
            f"{kind}/{each['metadata']['name']}"
            for kind in LEFT
            for each in self.kube.list(kind)
            if self._belongs(kind, each)
        ]

    def _belongs(self, kind: str, each: Json) -> bool:
        metadata = each["metadata"]
        if kind == "inferenceservices":
            return bool(metadata["name"] == self.name)
        return (metadata.get("labels") or {}).get(SERVICE_LABEL) == self.name

    def _has_bundled_router(self) -> bool:
        return "traffic" not in self.object["spec"]


def operator_pod(system: Kube) -> str:
    pods = wait_for(
        "the operator's pod",
        lambda: [
            p
            for p in system.list("pods")
            if is_ready(p) and "deletionTimestamp" not in p["metadata"]
        ],
    )
    return str(pods[0]["metadata"]["name"])


def variant_of(labelled: Json) -> str | None:
    return (labelled["metadata"].get("labels") or {}).get(VARIANT_LABEL)


def labels_key(labelled: Json) -> tuple[str, str]:
    labels = labelled["metadata"].get("labels") or {}
    return labels.get(VARIANT_LABEL, ""), labels.get(KIND_LABEL, "")


def key_of(planned: Json) -> tuple[str, str]:
    return planned["variant"], kind_slug(planned.get("kind", "cpu"))


def cpu_in_force_m(pod: Json) -> int:
    """Return the CPU limit of its server in force, as the kubelet reports it."""
    statuses = pod["status"].get("containerStatuses") or ()
    limits: Json = next((s["resources"]["limits"] for s in statuses if s.get("resources")), {})
    return cpu_millicores(limits.get("cpu", 0))


def cpu_wanted_m(pod: Json) -> int:
    requests = pod["spec"]["containers"][0].get("resources", {}).get("requests", {})
    return cpu_millicores(requests.get("cpu", 0))


def restarts(pod: Json) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses") or ())


def planned_capacity_rps(plan: Json) -> float:
    return float(sum(p["pods"] * float(p["capacityRps"]) for p in plan.get("allocations", ())))


def _differences(key: tuple[str, str], planned: Json, pods: list[Json]) -> list[str]:
    found = []
    if len(pods) != planned["pods"] or not all(map(is_ready, pods)):
        found.append(f"{key}: {len(pods)} pods, not {planned['pods']} that are Ready")
    wanted_m = cpu_millicores(planned["resources"]["cpu"])
    sizes = {cpu_in_force_m(pod) for pod in pods} | {cpu_wanted_m(pod) for pod in pods}
    if sizes - {wanted_m}:
        found.append(f"{key}: {sizes} millicores, not {wanted_m}")
    return found
