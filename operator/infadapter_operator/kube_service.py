"""
One InferenceService on Kubernetes: its loop, from the object to looks, steps, status and events.

A turn never waits for what it caused. What can't be done now is said in the status and tried again
at the next one; while a new spec is wrong, the last valid one stays in force.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from infadapter_operator.api_status import InferenceServiceStatus
from infadapter_operator.bodies import BodyUnavailable, StepRefused
from infadapter_operator.conditions import Condition, spec_invalid, unparsed, with_ready
from infadapter_operator.kube_adopt import adoption_of, hand_back
from infadapter_operator.kube_api import MERGE, ApiRefusal, Json, custom
from infadapter_operator.kube_check import template_problems
from infadapter_operator.kube_cluster import KubeCluster
from infadapter_operator.kube_objects import Owner
from infadapter_operator.kube_prepare import Prepared, Unprepared, prepare
from infadapter_operator.kube_report import Reporter
from infadapter_operator.kube_route import GatewayRouter
from infadapter_operator.kube_router import EnvoyRouter
from infadapter_operator.kube_router_objects import service_key
from infadapter_operator.kube_status import decision_from, status_of, without_service
from infadapter_operator.kube_world import World
from infadapter_operator.names import FINALIZER, GROUP, SERVICES, VERSION
from infadapter_operator.prometheus import PrometheusDemand
from infadapter_operator.reconcile import Look, Memory, look
from infadapter_operator.service import Mode

_logger = logging.getLogger(__name__)
ENSURE_EVERY_S = 30.0
"""How often the router's objects are looked after; they change with the spec only."""


class ServiceLoop:
    """`watch` is told of every look."""

    def __init__(
        self, world: World, document: Json, watch: Callable[[Look], None] = lambda _: None
    ) -> None:
        metadata = document["metadata"]
        self.owner = Owner(
            namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"]
        )
        self.turned_at_s = time.monotonic()
        self._world, self._document, self._watch = world, document, watch
        self._changed = asyncio.Event()
        self._changed.set()
        self._prepared: Prepared | None = None
        self._problem: Condition | None = None  # with the newest spec
        self._checked: dict[str, str] = {}  # variants with the digests of their checked templates
        self._memory = Memory()
        self._ensured_at_s = float("-inf")
        self._reporter = Reporter(world.api, self.owner, _status_in(document))
        self._cluster = KubeCluster(
            api=world.api,
            owner=self.owner,
            workloads={},
            scalers=world.scalers,
            claimed=lambda name: world.older_claim(self._document, name) is not None,
        )
        self._router: EnvoyRouter | GatewayRouter | None = None

    def update(self, document: Json) -> None:
        """The object has changed; that its status did is no news."""
        news = _asked(document) != _asked(self._document)
        self._document = document
        if news:
            self._changed.set()

    def forget(self) -> None:
        """The object is gone."""
        self._world.xds.forget(service_key(self.owner))

    def poke(self) -> None:
        """Something that it names has changed."""
        self._changed.set()

    @property
    def document(self) -> Json:
        return self._document

    async def run(self) -> None:
        """Until the object is deleted; what it borrowed is given back first."""
        while not self._is_leaving:
            began_s = time.monotonic()
            try:
                await self.turn(time.time())
            except (BodyUnavailable, StepRefused, ApiRefusal) as error:
                _logger.warning("%s: %s", service_key(self.owner), error)
            self.turned_at_s = time.monotonic()
            await self._sleep(began_s + self._world.settings.look_s - self.turned_at_s)
        await self._leave()

    async def _sleep(self, duration_s: float) -> None:
        if self._changed.is_set():
            return
        try:
            async with asyncio.timeout(max(0.0, duration_s)):
                await self._changed.wait()
        except TimeoutError:
            return

    async def turn(self, now_s: float) -> None:
        """Raises BodyUnavailable, StepRefused or ApiRefusal: the next turn is the retry."""
        if self._changed.is_set():
            self._changed.clear()
            await self._prepare()
        if self._prepared is None:
            await self._report_problem(now_s)
            return
        if self._prepared.service.mode is Mode.AUTO:
            await self._ensure(now_s)
        seen = await self._look(self._prepared, now_s)
        self._watch(seen)
        if self._prepared.service.mode is Mode.AUTO and seen.observed is not None:
            await self._cluster.tidy()

    # --- what is asked for -----------------------------------------------------------------------

    async def _prepare(self) -> None:
        """The newest spec, if it can be carried out; else the one before, and the problem."""
        profiles = self._world.profiles_of(self.owner.namespace)
        try:
            prepared = prepare(self._document, profiles, self._world.settings.scrape_s)
            await self._check_templates(prepared)
        except Unprepared as unprepared:
            self._problem = unprepared.condition
            return
        except BodyUnavailable:
            self._changed.set()  # not judged yet
            raise
        if self._prepared is None:
            decision = decision_from(prepared.service, self._reporter.status)
            self._memory = replace(self._memory, decision=decision)
        self._problem, self._prepared = None, prepared
        self._cluster.workloads = prepared.workloads
        self._cluster.gated = prepared.traffic is not None
        self._ensured_at_s = float("-inf")

    async def _check_templates(self, prepared: Prepared) -> None:
        digests = {name: workload.digest for name, workload in prepared.workloads.items()}
        if digests == self._checked:
            return
        fresh = {
            name: workload
            for name, workload in prepared.workloads.items()
            if self._checked.get(name) != digests[name]
        }
        problems = await template_problems(self._world.api, self.owner, fresh)
        if problems:
            raise Unprepared(spec_invalid("; ".join(problems), "TemplateRefused"))
        self._checked = digests

    # --- a look ----------------------------------------------------------------------------------

    async def _look(self, prepared: Prepared, now_s: float) -> Look:
        demand = PrometheusDemand(self._world.prometheus, prepared.query)
        router = self._router or self._bundled_router(prepared)
        seen = await look(prepared.service, self._memory, demand, self._cluster, router, now_s)
        self._memory = seen.memory
        overrides = (self._problem,) if self._problem else ()
        await self._reporter.report(
            status_of(
                prepared.service,
                self._document["metadata"]["generation"],
                seen.decision,
                with_ready(seen.conditions, *overrides),
                self._reporter.status,
                now_s,
                changed=seen.plan_changed,
            )
        )
        return seen

    async def _report_problem(self, now_s: float) -> None:
        if self._problem is not None:
            mode = _mode_in(self._document)
            generation = self._document["metadata"]["generation"]
            conditions = unparsed(self._problem, mode)
            await self._reporter.report(
                without_service(generation, conditions, self._reporter.status, now_s)
            )

    # --- what must be there ----------------------------------------------------------------------

    async def _ensure(self, now_s: float) -> None:
        prepared = self._prepared
        if prepared is None or now_s - self._ensured_at_s < ENSURE_EVERY_S:
            return
        if prepared.borrows:
            await self._have_finalizer()
        if prepared.traffic is None:
            await self._ensure_bundled(prepared)
        else:
            await self._ensure_gateway(prepared, prepared.traffic)
        self._ensured_at_s = now_s

    async def _ensure_bundled(self, prepared: Prepared) -> None:
        if not isinstance(self._router, EnvoyRouter):
            await self._gateway_router({"parentRefs": []}).remove()
            self._router = self._bundled_router(prepared)
        self._router.slo_s = prepared.service.slo_s
        await self._router.ensure()

    async def _ensure_gateway(self, prepared: Prepared, traffic: Mapping[str, Any]) -> None:
        if not isinstance(self._router, GatewayRouter):
            await self._bundled_router(prepared).remove()
            self._router = self._gateway_router(traffic)
        self._router.traffic = traffic
        await self._router.ensure()

    def _bundled_router(self, prepared: Prepared) -> EnvoyRouter:
        return EnvoyRouter(
            api=self._world.api,
            owner=self.owner,
            xds=self._world.xds,
            settings=self._world.settings,
            slo_s=prepared.service.slo_s,
        )

    def _gateway_router(self, traffic: Mapping[str, Any]) -> GatewayRouter:
        return GatewayRouter(
            api=self._world.api, owner=self.owner, cluster=self._cluster, traffic=traffic
        )

    # --- leaving ---------------------------------------------------------------------------------

    @property
    def _is_leaving(self) -> bool:
        return "deletionTimestamp" in self._document["metadata"]

    async def _have_finalizer(self) -> None:
        """Before anything is borrowed, so that a deletion waits until it is given back."""
        finalizers = self._document["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            await self._write_finalizers([*finalizers, FINALIZER])

    async def _leave(self) -> None:
        """What is owned goes by itself; what is borrowed is given back."""
        self.forget()
        finalizers = self._document["metadata"].get("finalizers") or []
        while FINALIZER in finalizers:
            try:
                await self._hand_back()
                await self._write_finalizers([f for f in finalizers if f != FINALIZER])
                return
            except (BodyUnavailable, StepRefused, ApiRefusal) as error:
                _logger.warning("%s: not given back yet: %s", service_key(self.owner), error)
            await asyncio.sleep(self._world.settings.look_s)
            finalizers = self._document["metadata"].get("finalizers") or []

    async def _hand_back(self) -> None:
        await self._cluster.observe(time.time())
        for running in self._cluster.running.values():
            adoption = adoption_of(running.deployment) if running.borrowed else None
            if adoption and adoption.uid == self.owner.uid:
                await hand_back(self._world.api, running.deployment, running.pods)

    async def _write_finalizers(self, finalizers: Iterable[str]) -> None:
        """Refused (409) if the object is not the one we know: its change is on the way."""
        metadata = {
            "finalizers": list(finalizers),
            "resourceVersion": self._document["metadata"]["resourceVersion"],
        }
        path = custom(GROUP, VERSION, self.owner.namespace, SERVICES, self.owner.name)
        written = await self._world.api.patch(path, {"metadata": metadata}, MERGE)
        self._document = {**self._document, "metadata": written["metadata"]}


def _asked(document: Json) -> tuple[object, bool]:
    metadata = document["metadata"]
    return metadata.get("generation"), "deletionTimestamp" in metadata


def _status_in(document: Json) -> InferenceServiceStatus | None:
    """What an operator wrote before; what can't be read is as if it were not there."""
    try:
        return InferenceServiceStatus.model_validate_json(json.dumps(document["status"]))
    except (KeyError, ValueError):
        return None


def _mode_in(document: Json) -> Mode:
    """Of a spec that may be wrong."""
    mode = (document.get("spec") or {}).get("mode")
    return Mode(mode) if mode in set(Mode) else Mode.AUTO
