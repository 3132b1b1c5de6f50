"""
One InferenceService on Kubernetes: its loop, from the object to looks, steps, status and events.

A turn never waits for what it caused. What can't be done now is said in the status and tried again
at the next one; while a new spec is wrong, the last valid one stays in force.
"""

import asyncio
import json
import logging
import time
from dataclasses import replace

from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.names import FINALIZER
from infadapter_operator.domain.ports import PlatformUnavailable, Ports, StepRefused
from infadapter_operator.domain.service import Mode
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.kube.client import ApiRefusal, Json
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.context import World
from infadapter_operator.kube.finalizer import finalizers_of, have_finalizer, let_go
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.preflight import Judge
from infadapter_operator.kube.prepare import Prepared, Unprepared, prepare
from infadapter_operator.kube.report import Reporter, calm, condition_of, shortage_of
from infadapter_operator.kube.routers.choice import Routers
from infadapter_operator.kube.routers.objects import service_key
from infadapter_operator.prometheus.client import PrometheusLoad, slo_met_ratio
from infadapter_operator.prometheus.queries import met_query
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_operator.reporting.conditions import Condition, slo_met, unparsed, with_ready
from infadapter_operator.reporting.signals import conditions_of
from infadapter_operator.reporting.status import decision_from, status_of, without_service
from infadapter_operator.reporting.variant_status import blocks_from

_logger = logging.getLogger(__name__)
CARE_EVERY_S = 30.0
"""How often what only a spec changes is looked after: the router's objects, borrowed ones."""
RETRY_EVERY_S = 5.0
MET_EVERY_S = 15.0


class ServiceLoop:
    """Its state is what may be lost: after a restart the status and the cluster bring it back."""

    def __init__(self, world: World, document: Json) -> None:
        metadata = document["metadata"]
        self.owner = Owner(
            namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"]
        )
        self.turned_at_s = time.monotonic()
        self._world, self._document = world, document
        self._woken = asyncio.Event()
        self._is_new = True  # the object, or a profile, since it was last prepared
        self._cared_at_s = float("-inf")
        self._prepared: Prepared | None = None
        self._problem: Condition | None = None  # of the newest spec
        self._state = State()
        self._load: PrometheusLoad | None = None
        self._untold = False  # a plan that the status does not say yet
        self._met_ratio: float | None = None
        self._met_at_s = float("-inf")
        self._refused: set[str] = set()  # told once, not at every look
        self._reporter = Reporter(world.api, self.owner, _status_in(document))
        self._cluster = KubeCluster(
            api=world.api,
            owner=self.owner,
            workloads={},
            scalers=world.scalers,
            claimed=lambda name: world.older_claim(self._document, name) is not None,
        )
        self._judge = Judge(self._cluster)
        self._routers = Routers(world, self._cluster)

    # --- what it is told -------------------------------------------------------------------------

    def update(self, document: Json) -> None:
        """The object has changed; that its status did is no news."""
        news = _asked(document) != _asked(self._document)
        self._document = document
        if news:
            self.poke()

    def poke(self) -> None:
        """Something that it names has changed."""
        self._is_new = True
        self._woken.set()

    def forget(self) -> None:
        """The object is gone."""
        self._world.xds.forget(service_key(self.owner))
        self._world.metrics.forget(self.owner.namespace, self.owner.name)

    # --- the loop --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the object is deleted; what it borrowed is given back first."""
        while "deletionTimestamp" not in self._document["metadata"]:
            began_s = time.monotonic()
            try:
                await self.turn(time.time())
            except (PlatformUnavailable, StepRefused, ApiRefusal) as error:
                _logger.warning("%s: %s", service_key(self.owner), error)
            self.turned_at_s = time.monotonic()
            await self._sleep(began_s + self._world.settings.look_s - self.turned_at_s)
        self.forget()
        while FINALIZER in finalizers_of(self._document) and not await self._let_go():
            self.turned_at_s = time.monotonic()
            await self._sleep(self._world.settings.look_s)

    async def turn(self, now_s: float) -> None:
        """Raises PlatformUnavailable, StepRefused or ApiRefusal: the next turn is the retry."""
        due = now_s - self._cared_at_s >= CARE_EVERY_S
        if self._is_new or (due and self._problem):
            self._is_new = False  # before, since it may become so again meanwhile
            try:
                await self._prepare(now_s)
            except BaseException:
                self._is_new = True
                raise
        troubles = [] if self._problem is None else [self._problem]
        if self._prepared is None:
            await self._report_problem(troubles[0], now_s)
            return
        troubles += await self._care(self._prepared, now_s)
        available = self._judge.available(self._prepared.service)
        if not available.variants:
            await self._report_problem(troubles[-1], now_s)
            return
        began_s = time.perf_counter()
        seen = await reconcile(
            replace(available, mode=_mode_in(self._document)),
            self._state,
            Ports(self._load_of(self._prepared), self._cluster, self._routers.of(self._prepared)),
            now_s,
            self._world.causes.told_to(service_key(self.owner), now_s),
        )
        self._world.causes = self._world.causes.after(
            service_key(self.owner), self._state.blocks, seen.blocks, now_s
        )
        self._state = seen.state
        self._untold |= seen.plan_changed
        self._tell(seen)
        troubles += await self._tidy(seen)
        overrides = (*await self._slo_met(seen), *troubles)
        found = with_ready(conditions_of(seen), *overrides)
        self._world.metrics.record(seen, found, time.perf_counter() - began_s)
        await self._report(seen, found)

    async def _sleep(self, duration_s: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, duration_s)):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def _let_go(self) -> bool:
        try:
            await let_go(self._cluster, self._document)
        except (PlatformUnavailable, StepRefused, ApiRefusal) as error:
            _logger.warning("%s: not given back yet: %s", service_key(self.owner), error)
            return False
        return True

    # --- before and after a look -----------------------------------------------------------------

    async def _prepare(self, now_s: float) -> None:
        """The newest spec, if it can be carried out; else the one before, and the problem."""
        profiles = self._world.profiles_of(self.owner.namespace)
        settings = self._world.settings
        try:
            prepared = prepare(self._document, profiles, settings.scrape_s, settings.patience)
            await self._judge.templates(prepared)
        except Unprepared as unprepared:
            self._problem, self._cared_at_s = unprepared.condition, now_s
            reason = unprepared.condition.reason
            self._world.metrics.count_error(self.owner.namespace, self.owner.name, reason)
            return
        if self._prepared is None:
            told = self._reporter.status
            decision, blocks = decision_from(prepared.service, told), blocks_from(told)
            self._state = replace(self._state, decision=decision, blocks=blocks)
        self._problem, self._prepared = None, prepared
        self._cluster.workloads = prepared.workloads
        self._cluster.gated = prepared.traffic is not None
        self._cared_at_s = float("-inf")

    async def _care(self, prepared: Prepared, now_s: float) -> list[Condition]:
        """What a look takes for granted; what is wrong with it."""
        every_s = RETRY_EVERY_S if self._judge.trouble else CARE_EVERY_S
        if now_s - self._cared_at_s >= every_s:
            await self._judge.borrowed()
            if _mode_in(self._document) is Mode.AUTO:
                try:
                    await self._have(prepared)
                except ApiRefusal as refusal:
                    self._judge.trouble = condition_of(refusal.as_step_refused())
                except StepRefused as refused:
                    self._judge.trouble = condition_of(refused)
            self._cared_at_s = now_s
        return self._judge.problems()

    def _load_of(self, prepared: Prepared) -> PrometheusLoad:
        """The same while what is asked is the same: it remembers what was answered."""
        if self._load is None or (self._load.query, self._load.servers) != (
            prepared.query,
            prepared.servers,
        ):
            self._load = PrometheusLoad(self._world.prometheus, prepared.query, prepared.servers)
        return self._load

    async def _have(self, prepared: Prepared) -> None:
        if prepared.borrows:
            self._document = await have_finalizer(self._cluster, self._document)
        await self._routers.ensure(prepared)
        self._judge.trouble = None

    async def _tidy(self, seen: Cycle) -> list[Condition]:
        if seen.service.mode is not Mode.AUTO or seen.observed is None:
            return []
        try:
            await self._cluster.tidy()
        except StepRefused as refused:
            return [condition_of(refused)]
        return [shortage_of(refused) for refused in self._cluster.refused_pods()]

    def _tell(self, seen: Cycle) -> None:
        for step in seen.steps:
            level = logging.DEBUG if isinstance(step, SetWeights) else logging.INFO
            _logger.log(level, "%s: %s", service_key(self.owner), step)
        refused = {f"{type(r.step).__name__}: {r.message}" for r in seen.refusals}
        for refusal in sorted(refused - self._refused):
            _logger.warning("%s: refused: %s", service_key(self.owner), refusal)
        self._refused = refused

    async def _slo_met(self, seen: Cycle) -> list[Condition]:
        """Asked for now and then: it is a mean over minutes."""
        if self._cluster.gated:
            self._met_ratio = None  # only our own router tells
        elif seen.now_s - self._met_at_s >= MET_EVERY_S:
            query = met_query(self.owner.namespace, self.owner.name, seen.service.slo_s)
            self._met_at_s = seen.now_s
            self._met_ratio = await slo_met_ratio(self._world.prometheus, query, seen.now_s)
        told = self._reporter.status.conditions if self._reporter.status else ()
        missed = any((c.type, c.status) == ("SLOMet", "False") for c in told)
        return [slo_met(seen.service, self._met_ratio, was_missed=missed)]

    async def _report(self, seen: Cycle, found: tuple[Condition, ...]) -> None:
        before = self._reporter.status
        status = status_of(
            seen.service,
            self._document["metadata"]["generation"],
            seen.decision,
            calm(seen, found, before),
            before,
            seen.now_s,
            changed=self._untold,
            blocks=None if seen.observed is None else seen.blocks,
        )
        if await self._reporter.report(status):
            self._untold = False

    async def _report_problem(self, problem: Condition, now_s: float) -> None:
        """Of a service that can't be looked at."""
        found = unparsed(problem, _mode_in(self._document))
        self._world.metrics.record_problem(self.owner.namespace, self.owner.name, found, now_s)
        generation = self._document["metadata"]["generation"]
        before = self._reporter.status
        await self._reporter.report(without_service(generation, found, before, now_s))


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
    """Of a spec that may be wrong otherwise: whoever wants a stop gets it."""
    mode = (document.get("spec") or {}).get("mode")
    return Mode(mode) if mode in set(Mode) else Mode.AUTO
