"""
An API server in memory, in place of the one method of KubeApi that talks to a real one.

It imitates the Deployment controller, the scheduler and the kubelet as far as the adapters depend
on them.
"""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp

from infadapter_operator.envoy.xds import PATH, XdsServer
from infadapter_operator.kube.client import APPLY, MERGE, OPERATIONS, STRATEGIC, KubeApi
from infadapter_operator.kube.objects import Owner, Workload
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.quantities import cpu_millicores
from infadapter_solver.problem import CPU, Allocation, PodSize

Json = dict[str, Any]
OWNER = Owner(namespace="vision", name="resnet", uid="uid-1")
QUOTAS = "/resourcequotas/"
CREATED = "2026-01-01T00:00:00Z"


class FakeApi(KubeApi):
    """
    The API server. `refuse` may fail a request before it has an effect; `writes` are the requests
    that had one. `waits` returns why a new pod's container waits, as the kubelet words it; if
    empty, the pod is Ready at once.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.writes: list[tuple[str, str]] = []
        self.dry_runs: list[Json] = []
        self.refuse: Callable[[str, str], Exception | None] = lambda method, path: None
        self.waits: Callable[[Json], str] = lambda pod: ""
        self._numbers = itertools.count(1)
        self._applied: dict[str, Json] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        content: str = "application/json",
    ) -> Json:
        if (refusal := self.refuse(method, path)) is not None:
            raise refusal
        if method == "GET":
            return copy.deepcopy(self._read(path, (query or {}).get("labelSelector", "")))
        if (query or {}).get("dryRun"):
            self.dry_runs.append(dict(body))  # type: ignore[arg-type]
            return {}
        self.writes.append((f"{method} {content.rpartition('/')[2]}", path))
        return copy.deepcopy(self._write(method, path, copy.deepcopy(body), content))

    def put(self, path: str, body: Json) -> Json:
        """Create an object without a write, as if another client had."""
        meta = {
            "name": path.rpartition("/")[2],
            "namespace": path.split("/namespaces/")[1].split("/")[0],
            "uid": f"uid-of-{path.rpartition('/')[2]}",
            "creationTimestamp": CREATED,
        }
        body["metadata"] = {**meta, **body.get("metadata", {})}
        body["metadata"].setdefault("generation", 1)
        self.objects[path] = body
        return self._changed(path)

    def settle(self) -> None:
        """Do the work of controllers and kubelets: create and delete pods, make them Ready."""
        for path in [p for p in self.objects if "/deployments/" in p]:
            self._settle_deployment(path, self.objects[path])
        self._count_used()

    def pods(self) -> list[Json]:
        return [self.objects[path] for path in sorted(self.objects) if "/pods/" in path]

    # --- the server ------------------------------------------------------------------------------

    def _read(self, path: str, selector: str) -> Json:
        if path in self.objects:
            return self.objects[path]
        kind = path.rpartition("/")[2]
        if kind.endswith("s") and path.split("/namespaces/")[1].count("/") == 1:
            wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
            own = [o for p, o in sorted(self.objects.items()) if p.rpartition("/")[0] == path]
            return {"items": [o for o in own if wanted.items() <= _labels(o).items()]}
        raise ApiRefusal(404, "NotFound", f"{path} not found")

    def _write(self, method: str, path: str, body: Any, content: str) -> Json:
        if method == "DELETE":
            self._read(path, "")
            del self.objects[path]
            return {}
        if method == "POST":
            return self.put(f"{path}/{body['metadata']['name']}", body)
        if content == APPLY:
            return self._apply(path, body)
        at, subresource = self._split(path)
        live = self.objects[at]
        if content == OPERATIONS:
            self._operate(live, body)
        elif subresource == "resize":
            self._resize(live, body)
        else:
            assert content in (MERGE, STRATEGIC)
            self.objects[at] = merged(live, body)
        return self._changed(at)

    def _apply(self, path: str, body: Json) -> Json:
        before, self._applied[path] = self._applied.get(path, {}), copy.deepcopy(body)
        if path not in self.objects:
            return self.put(path, body)
        live = self.objects[path]
        _remove_unapplied(live, before, body)
        if "spec" in body and body["spec"] != live.get("spec"):
            live["metadata"]["generation"] += 1
        self.objects[path] = merged(live, body)
        return self._changed(path)

    def _operate(self, live: Json, operations: Sequence[Json]) -> None:
        for operation in operations:
            *parents, last = operation["path"].strip("/").split("/")
            node: Any = live
            for step in parents:
                node = node[int(step)] if isinstance(node, list) else node[step]
            if operation["op"] == "test" and node.get(last) != operation["value"]:
                raise ApiRefusal(422, "Invalid", "the test failed")
            if operation["op"] in ("add", "replace"):
                node[last] = operation["value"]

    def _resize(self, pod: Json, body: Json) -> None:
        for wanted in body["spec"]["containers"]:
            for container in pod["spec"]["containers"]:
                if container["name"] == wanted["name"]:
                    container["resources"] = merged(container["resources"], wanted["resources"])
        _run(pod)

    def _split(self, path: str) -> tuple[str, str]:
        if path in self.objects:
            return path, ""
        at, _, subresource = path.rpartition("/")
        if at not in self.objects:
            raise ApiRefusal(404, "NotFound", f"{path} not found")
        return at, subresource

    def _changed(self, path: str) -> Json:
        self.objects[path]["metadata"]["resourceVersion"] = str(next(self._numbers))
        return self.objects[path]

    # --- controllers and kubelets ----------------------------------------------------------------

    def _settle_deployment(self, path: str, deployment: Json) -> None:
        spec = deployment["spec"]
        root, name = path.split("/namespaces/")[1].split("/")[0], path.rpartition("/")[2]
        own = [p for p in self.pods() if p["metadata"]["labels"].get("deployment") == name]
        own = self._roll(own, spec["template"])
        while len(own) > spec.get("replicas", 1):
            own.sort(key=_cost)
            gone = own.pop(0)["metadata"]["name"]
            del self.objects[f"/api/v1/namespaces/{root}/pods/{gone}"]
        missing = spec.get("replicas", 1) - len(own)
        while missing and not self._is_refused(spec["template"]):
            self._start(root, name, spec["template"])
            missing -= 1
        failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team"}
        deployment["status"] = {
            "replicas": spec.get("replicas", 1) - missing,
            "updatedReplicas": spec.get("replicas", 1) - missing,
            "observedGeneration": deployment["metadata"]["generation"],
            "conditions": [failure] if missing else [],
        }

    def _is_refused(self, template: Json) -> bool:
        """Whether a ResourceQuota of CPU refuses another pod."""
        self._count_used()
        found = [quota["status"] for path, quota in self.objects.items() if QUOTAS in path]
        left = [cpu_millicores(s["hard"]["cpu"]) - cpu_millicores(s["used"]["cpu"]) for s in found]
        return any(_requested_m(template["spec"]) > one for one in left)

    def _count_used(self) -> None:
        used = sum(_requested_m(pod["spec"]) for pod in self.pods())
        for path, quota in self.objects.items():
            if QUOTAS in path:
                quota["status"] = {**quota["spec"], "used": {"cpu": f"{used}m"}}

    def _roll(self, own: list[Json], template: Json) -> list[Json]:
        kept = [pod for pod in own if pod["made_from"] == template]
        for pod in own:
            if pod not in kept:
                namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
                del self.objects[f"/api/v1/namespaces/{namespace}/pods/{name}"]
        return kept

    def _start(self, namespace: str, deployment: str, template: Json) -> None:
        number = next(self._numbers)
        metadata = copy.deepcopy(template.get("metadata") or {})
        metadata["labels"] = {**metadata.get("labels", {}), "deployment": deployment}
        pod = {
            "metadata": metadata,
            "spec": copy.deepcopy(template["spec"]),
            "status": {
                "phase": "Running",
                "podIP": f"10.0.0.{number}",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
            "made_from": copy.deepcopy(template),
        }
        _run(pod)
        if reason := self.waits(pod):
            _set_waiting(pod, reason)
        self.put(f"/api/v1/namespaces/{namespace}/pods/{deployment}-{number}", pod)


def _requested_m(pod_spec: Json) -> int:
    asked = ((c.get("resources") or {}).get("requests") or {} for c in pod_spec["containers"])
    return sum(cpu_millicores(amounts.get("cpu", 0)) for amounts in asked)


def merged(live: Any, body: Any) -> Any:
    """Return `live` after a merge patch, with lists of named objects merged by name."""
    if isinstance(live, Mapping) and isinstance(body, Mapping):
        both = {key: merged(live.get(key), value) for key, value in body.items()}
        kept = {key: value for key, value in live.items() if key not in body}
        return {key: value for key, value in {**kept, **both}.items() if value is not None}
    if isinstance(body, Mapping):
        return {key: merged(None, value) for key, value in body.items() if value is not None}
    if _named(live) and _named(body):
        by_name = {entry["name"]: entry for entry in live}
        return [merged(by_name.get(entry["name"]), entry) for entry in body]
    return body


def _remove_unapplied(live: Any, before: Any, now: Any) -> None:
    """Remove the fields that were applied before and are not applied now."""
    if _named(live) and _named(before) and _named(now):
        live, before, now = ({e["name"]: e for e in entries} for entries in (live, before, now))
    if isinstance(before, dict) and isinstance(live, dict):
        for key in before:
            if key not in now:
                live.pop(key, None)
            else:
                _remove_unapplied(live.get(key), before[key], now[key])


def _named(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(e, dict) and "name" in e for e in entries)


def _labels(made: Json) -> Json:
    labels: Json = made["metadata"].get("labels") or {}
    return labels


def _cost(pod: Json) -> int:
    costs = pod["metadata"].get("annotations") or {}
    return int(costs.get("controller.kubernetes.io/pod-deletion-cost", 0))


def _run(pod: Json) -> None:
    pod["status"]["containerStatuses"] = [
        {"name": c["name"], "resources": copy.deepcopy(c.get("resources") or {})}
        for c in pod["spec"]["containers"]
    ]


def _set_waiting(pod: Json, reason: str) -> None:
    pod["status"] |= {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}
    for status in pod["status"]["containerStatuses"]:
        status["state"] = {"waiting": {"reason": reason, "message": "as the kubelet says"}}


# --- objects for tests ---------------------------------------------------------------------------


def allocation(
    cpu_millicores: int, rps: float = 10.0, batch_size: int = 1, **more: int
) -> Allocation:
    """Return an allocation; `gpu=1` adds one nvidia.com/gpu."""
    devices = {f"nvidia.com/{name}": count for name, count in more.items()}
    return Allocation(
        size=PodSize(resources={CPU: cpu_millicores, **devices}, batch_size=batch_size),
        capacity_rps=rps,
    )


def template(**container: Any) -> Json:
    server = {"name": "server", "image": "example/server:1", "ports": [{"containerPort": 9000}]}
    return {"spec": {"containers": [{**server, **container}]}}


def workload(variant: str = "r18", **changes: Any) -> Workload:
    given: Json = {
        "variant": variant,
        "template": template(),
        "allocations": (allocation(1000), allocation(2000, 20.0)),
        **changes,
    }
    return Workload(**given)


async def poll(xds: XdsServer, times: int = 2) -> None:
    """Poll like an Envoy: each request confirms the configuration received last."""
    port = await xds.start("127.0.0.1", 0)
    version = ""
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            asked = {"node": {"id": "envoy-1", "cluster": "vision/resnet"}, "version_info": version}
            async with session.post(f"http://127.0.0.1:{port}{PATH}", json=asked) as answer:
                if answer.status == 200:
                    version = (await answer.json())["version_info"]
    await xds.stop()
