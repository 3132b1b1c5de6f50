"""
The API server in memory with the part of the Job controller that `profile --kubernetes` uses.

Each Job gets a pod, and is deleted together with the objects that it owns. The profiler's pod
prints what `generated` returns for its command.
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from infadapter_operator.domain.names import GROUP, PROFILES, VERSION
from infadapter_operator.kube.paths import core, custom, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.quantities import cpu_millicores
from infadapter_profiles.sizes import CPU, PodSize
from tests.operator.kube.fakes import FakeApi

Json = dict[str, Any]
NAMESPACE = "vision"
PROFILE = custom(GROUP, VERSION, NAMESPACE, PROFILES, "r18")
CREATED, READY = "2026-01-01T00:00:00Z", "2026-01-01T00:00:04Z"


class ClusterWorld(FakeApi):
    def __init__(self) -> None:
        super().__init__()
        self.generated: Callable[[list[str]], tuple[str, int]] = measured
        self.status_of_clone: Callable[[], Json] = ready
        self.refuses_pods = ""
        self.jobs: list[Json] = []
        self.renewed: list[Json] = []  # Jobs after each patch
        self.logs: dict[str, str] = {}
        self.kubelet: list[
            Json
        ] = []  # the conditions of a resize that successive reads see before it is in force
        self._pending: dict[str, Json] = {}

    async def text(self, path: str, **query: str) -> str:
        return self.logs.get(path.split("/")[-2], "")

    async def request(self, method: str, path: str, **rest: Any) -> Json:
        query = rest.get("query") or {}
        if query.get("dryRun") and (refusal := self.refuse(method, path)) is not None:
            raise refusal
        return await super().request(method, path, **rest)

    def _resize(self, pod: Json, body: Json) -> None:
        """Resize a pod; the size is in force once all of `kubelet` has been reported."""
        before = copy.deepcopy(pod["status"]["containerStatuses"])
        super()._resize(pod, body)
        if self.kubelet:
            self._pending[pod["metadata"]["name"]] = pod["status"]["containerStatuses"]
            pod["status"]["containerStatuses"] = before
            self._say(pod)

    def _read(self, path: str, selector: str) -> Json:
        found = super()._read(path, selector)
        if found.get("metadata", {}).get("name") in self._pending:
            found = copy.deepcopy(found)
            self._say(self.objects[path])
        return found

    def _say(self, pod: Json) -> None:
        status = pod["status"]
        others = [c for c in status["conditions"] if not c["type"].startswith("PodResize")]
        said = [self.kubelet.pop(0)] if self.kubelet else []
        if not said:
            status["containerStatuses"] = self._pending.pop(pod["metadata"]["name"])
        status["conditions"] = [*others, *said]

    @property
    def left(self) -> list[str]:
        """The Jobs and profiling pods that still exist."""
        return [p for p in self.objects if "/jobs/" in p or ("/pods/" in p and "-profile-" in p)]

    def _write(self, method: str, path: str, body: Any, content: str) -> Json:
        if method == "DELETE" and "/jobs/" in path:
            return self._remove(path)
        made = super()._write(method, path, body, content)
        if method == "PATCH" and "/jobs/" in path:
            self.renewed.append(copy.deepcopy(made))
        if method == "POST" and path.endswith("/jobs"):
            self.jobs.append(copy.deepcopy(made))
            self._start_pod(made)
        return made

    def _remove(self, path: str) -> Json:
        name = path.rpartition("/")[2]
        super()._write("DELETE", path, None, "")
        self.objects.pop(core(NAMESPACE, "pods", f"{name}-pod"), None)
        owned = [
            at
            for at, made in self.objects.items()
            if any(o["name"] == name for o in made["metadata"].get("ownerReferences", ()))
        ]
        for at in owned:
            self._remove(at)
        return {}

    def _start_pod(self, job: Json) -> None:
        name, template = job["metadata"]["name"], copy.deepcopy(job["spec"]["template"])
        if self.refuses_pods:
            event = {"reason": "FailedCreate", "message": f"Error creating: {self.refuses_pods}"}
            self.put(core(NAMESPACE, "events", f"{name}-event"), event)
            return
        (container, *_) = template["spec"]["containers"]
        if container["name"] == "profiler":
            self.logs[f"{name}-pod"], code = self.generated(container["command"])
            status = over(code)
        else:
            status = self.status_of_clone()
        status["containerStatuses"] = [
            {**status.get("container", {}), "name": c["name"], "resources": c.get("resources", {})}
            for c in template["spec"]["containers"]
        ]
        pod = {**template, "status": status}
        pod["spec"]["nodeName"] = "node-1"
        self.put(core(NAMESPACE, "pods", f"{name}-pod"), pod)


def ready() -> Json:
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": READY}
    return {"phase": "Running", "podIP": "10.0.0.7", "conditions": [condition]}


def unready(**status: Any) -> Json:
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": CREATED}
    conditions = [condition, *status.pop("conditions", ())]
    return {"phase": "Pending", "conditions": conditions, **status}


def pending(reason: str, message: str = "") -> Json:
    return {"type": "PodResizePending", "status": "True", "reason": reason, "message": message}


def over(code: int) -> Json:
    terminated = {"exitCode": code, "reason": "Error" if code else "Completed"}
    phase = "Failed" if code else "Succeeded"
    return {"phase": phase, "container": {"state": {"terminated": terminated}}}


def measured(command: list[str]) -> tuple[str, int]:
    """Return the output and exit code of `infadapter profile`: 200 rps per core."""
    cpu_m = cpu_millicores(option(command, "--cpu"))
    known = KnownCapacity(
        latency_s=int(option(command, "--slo-ms", "100")) / 1000, percentile=99, rps=0.2 * cpu_m
    )
    allocation = ProfiledAllocation(
        size=PodSize(resources={CPU: cpu_m}), saturation_rps=0.3 * cpu_m, capacity=(known,)
    )
    profile = Profile(
        variant=option(command, "--name"),
        accuracy=float(option(command, "--accuracy", "0.7")),
        load_time_s=float(option(command, "--load-seconds", "1")),
        allocations=(allocation,),
    )
    document = json.dumps(write_document(ProfileDocument(profile=profile, machine="a pod's")))
    return f"saturation, 1 s\n{document}\n", 0


def option(command: list[str], name: str, default: str = "") -> str:
    return command[command.index(name) + 1] if name in command else default


def deployment(world: ClusterWorld, cpu: str | None = "500m", **container: Any) -> str:
    """Create Deployment r18 with all that a serving pod may have, and return its path."""
    amounts: Mapping[str, Any] = {"requests": {"cpu": cpu, "memory": "1Gi"}} if cpu else {}
    server = {
        "name": "server",
        "image": "example/server:1",
        "ports": [{"containerPort": 9000}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 30}}},
        "env": [{"name": "A", "value": "b"}],
        "volumeMounts": [{"name": "weights", "mountPath": "/weights"}],
        "resources": dict(amounts),
        **container,
    }
    labels = {"app": "r18", "infadapter.io/service": "resnet"}
    template = {
        "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true", "own": "1"}},
        "spec": {
            "priorityClassName": "high",
            "containers": [server],
            "volumes": [{"name": "weights", "emptyDir": {}}, {"name": "other", "emptyDir": {}}],
        },
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    world.put(path := deployments(NAMESPACE, "r18"), {"spec": spec})
    return path


def forbidden(what: str) -> Callable[[str, str], Exception | None]:
    def refuse(method: str, path: str) -> Exception | None:
        if method != "GET" and what in path:
            return ApiRefusal(403, "Forbidden", f'cannot create resource "{what}"')
        return None

    return refuse
