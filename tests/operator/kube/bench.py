"""The whole loop of a service on an API server in memory, with a clock that tests advance."""

import copy
from typing import Any, cast

from prometheus_api_client import PrometheusConnect
from prometheus_client import CollectorRegistry

from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import custom, deployments
from infadapter_operator.kube.scaling_loop import ServiceLoop
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.reporting.metrics import Metrics
from infadapter_operator.settings import Settings
from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, PodSize
from tests.operator.kube.fakes import FakeApi, Json, poll, template

PATH = custom("infadapter.io", "v1alpha1", "vision", "inferenceservices", "resnet")
R18, R34 = deployments("vision", "resnet-r18"), deployments("vision", "resnet-r34")
START_S = 1_800_000_000.0


class Load:
    """Prometheus's answers; with `rps` None it does not answer."""

    def __init__(self) -> None:
        self.rps: float | None = 5.0
        self.delivered: list[Json] = []  # the answer to every instant query
        self.asked: list[str] = []  # the instant queries

    def custom_query_range(self, query: str, start: Any, end: Any, step: str, **_: Any) -> Any:
        if self.rps is None:
            raise ValueError
        rps = "NaN" if "time_bucket" in query else str(self.rps)
        seconds = range(round(start.timestamp()), round(end.timestamp()) + 1, int(step))
        return [{"values": [[at_s, rps] for at_s in seconds]}]

    def custom_query(self, query: str, **_: Any) -> Any:
        self.asked.append(query)
        return self.delivered


def profile(name: str, accuracy: float, rps_per_core: int) -> Json:
    allocations = tuple(
        ProfiledAllocation(
            size=PodSize(resources={CPU: 1000 * cores}),
            saturation_rps=2.0 * cores * rps_per_core,
            capacity=(
                KnownCapacity(latency_s=0.75, percentile=99.0, rps=float(cores * rps_per_core)),
            ),
        )
        for cores in (1, 2, 4)
    )
    made = Profile(variant=name, accuracy=accuracy, load_time_s=2.0, allocations=allocations)
    return write_document(ProfileDocument(profile=made, namespace="vision"))


def variant(name: str, **changes: Any) -> Json:
    return {"name": name, "profileRef": {"name": name}, "template": template(), **changes}


def service(**spec: Any) -> Json:
    return {
        "apiVersion": "infadapter.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"uid": "uid-1", "namespace": "vision"},
        "spec": {
            "slo": {"latencyMilliseconds": 750},
            "budget": {"cpu": "8"},
            "scaling": {"intervalSeconds": 5, "scaleDownStabilizationSeconds": 15},
            "variants": [variant("r18"), variant("r34")],
            **spec,
        },
    }


class Bench:
    """A ServiceLoop with its context and a clock."""

    def __init__(self, document: Json, api: FakeApi | None = None) -> None:
        self.api = api or FakeApi()
        self.load = Load()
        self.now_s = START_S
        self.registry = CollectorRegistry()
        self.context = Context(
            settings=Settings(),
            api=self.api,
            prometheus=Prometheus(cast(PrometheusConnect, self.load), 5.0),
            xds=XdsServer(heard_within_s=0.0),
            other_autoscalers=OtherAutoscalers(self.api, refresh_s=0.0),
            metrics=Metrics(self.registry),
        )
        for written in (profile("r18", 0.7, 10), profile("r34", 0.8, 5)):
            self.context.profiles["vision", written["metadata"]["name"]] = written
        if PATH not in self.api.objects:
            self.api.put(PATH, document)
        self.loop = ServiceLoop(self.context, self.document)

    @property
    def document(self) -> Json:
        return copy.deepcopy(self.api.objects[PATH])

    @property
    def status(self) -> Json:
        found: Json = self.api.objects[PATH].get("status", {})
        return found

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(c for c in self.status["conditions"] if c["type"] == kind)
        return found["status"], found["reason"]

    def told(self, kind: str) -> str:
        return next(str(c["message"]) for c in self.status["conditions"] if c["type"] == kind)

    async def turns(self, count: int) -> None:
        """Run cycles two seconds apart; in between pods become Ready and the router polls."""
        for _ in range(count):
            await self.loop.tick(self.now_s)
            self.api.settle()
            await poll(self.context.xds)
            self.now_s += 2.0

    def change(self, **spec: Any) -> None:
        live = self.api.objects[PATH]
        live["spec"] = {**live["spec"], **spec}
        live["metadata"]["generation"] += 1
        self.loop.update(self.document)

    def writes(self) -> list[tuple[str, str]]:
        written, self.api.writes = self.api.writes, []
        return written


def borrowing() -> tuple[Json, FakeApi]:
    api = FakeApi()
    pods = template(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}})
    pods["metadata"] = {"labels": {"app": "mine"}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "mine"}}, "template": pods}
    api.put(deployments("vision", "mine"), {"spec": spec})
    borrowed = variant("r18", deploymentRef={"name": "mine"})
    del borrowed["template"]
    return service(variants=[borrowed]), api
