"""
The loop of one InferenceService on Kubernetes: from the object to cycles, steps, status and events.

A cycle never waits for the effect of its steps. What cannot be done now is reported in the status
and retried in the next cycle.
"""

import asyncio
import logging
import time
from dataclasses import replace

from infadapter_operator.domain.names import FINALIZER
from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    Ports,
    StepRefused,
)
from infadapter_operator.domain.service import Mode
from infadapter_operator.domain.situation import State
from infadapter_operator.kube.asked_load import AskedLoad
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.cycle_log import CycleLog
from infadapter_operator.kube.finalizer import finalizers_of, let_go
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.preflight import Preflight
from infadapter_operator.kube.prepare import Prepared
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.report import Reporter, calm, condition_of, shortage_of, status_in
from infadapter_operator.kube.routers.choice import Routers
from infadapter_operator.kube.routers.objects import service_key
from infadapter_operator.kube.slo_check import SloCheck
from infadapter_operator.kube.spec_controller import SpecController
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_operator.recurring import Recurring
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.conditions import loop_failed, unparsed, with_ready
from infadapter_operator.reporting.plan_status import decision_from
from infadapter_operator.reporting.signals import conditions_of
from infadapter_operator.reporting.status import status_of, without_service
from infadapter_operator.reporting.variant_status import blocks_from

_logger = logging.getLogger(__name__)


class ServiceLoop:
    """
    The loop of one service. Its state may be lost: after a restart the status and the cluster
    restore it.
    """

    def __init__(self, context: Context, document: Json) -> None:
        metadata = document["metadata"]
        self.owner = Owner(
            namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"]
        )
        self.ticked_at_s = time.monotonic()
        self._context = context
        self._state: State | None = None  # None: not yet restored
        self._load = AskedLoad(context, self.owner.namespace)
        self._untold = False  # a plan that is not yet in the status
        self._slo = SloCheck(context, self.owner)
        self._log = CycleLog(service_key(self.owner))
        self._cut_short = Recurring(_logger, f"{service_key(self.owner)}: cycle cut short")
        self._kept = Recurring(_logger, f"{service_key(self.owner)}: not given back yet")
        self._reporter = Reporter(context.api, self.owner, status_in(document))
        self._cluster = KubeCluster(
            api=context.api,
            owner=self.owner,
            workloads={},
            other_autoscalers=context.other_autoscalers,
            claimed=lambda name: context.older_claim(self._spec.document, name),
        )
        routers = Routers(context, self._cluster)
        self._spec = SpecController(
            context, self._cluster, document, routers, Preflight(self._cluster)
        )

    # --- what it is told -------------------------------------------------------------------------

    def update(self, document: Json) -> None:
        self._spec.update(document)

    def poke(self) -> None:
        """An object that the service names has changed."""
        self._spec.poke()

    def forget(self) -> None:
        """The object is gone: drop its router configuration and metrics."""
        self._context.xds.forget(service_key(self.owner))
        self._context.metrics.forget(self.owner.namespace, self.owner.name)

    # --- the loop --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run cycles until the object is deleted, then give back what it borrowed."""
        while not self._spec.is_deleted:
            began_s = time.monotonic()
            try:
                await self.tick(time.time())
                self._cut_short.recovers()
            except (PlatformUnavailable, StepRefused, ApiRefusal) as error:
                self._cut_short.fails(str(error))
            self.ticked_at_s = time.monotonic()
            await self._sleep(began_s + self._context.settings.cycle_s - self.ticked_at_s)
        self.forget()
        while FINALIZER in finalizers_of(self._spec.document) and not await self._let_go():
            self.ticked_at_s = time.monotonic()
            await self._sleep(self._context.settings.cycle_s)

    async def tick(self, now_s: float) -> None:
        """
        Run one cycle. Raises PlatformUnavailable, StepRefused or ApiRefusal; the next cycle
        retries.
        """
        troubles = await self._spec.check(now_s)
        prepared = self._spec.prepared
        if prepared is None:
            await self._report_problem(troubles[0], now_s)
            return
        available = self._spec.available(prepared)
        if not available.variants:
            await self._report_problem(troubles[-1], now_s)
            return
        before = self._state or self._restored(prepared)
        began_s = time.perf_counter()
        seen = await reconcile(
            replace(available, mode=self._spec.mode),
            before,
            Ports(self._load.of(prepared), self._cluster, self._spec.routers.of(prepared)),
            now_s,
            self._context.causes.told_to(service_key(self.owner), now_s),
        )
        self._context.causes = self._context.causes.after(
            service_key(self.owner), before.blocks, seen.blocks, now_s
        )
        self._state = seen.state
        self._load.count_on(seen)
        self._untold |= seen.plan_changed
        self._log.tell(seen)
        troubles += [*self._conflicts(seen), *await self._clean_up(seen)]
        found = with_ready(conditions_of(seen), await self._is_met(seen), *troubles)
        self._context.metrics.record(seen, found, time.perf_counter() - began_s)
        await self._report(seen, found)

    async def _sleep(self, duration_s: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, duration_s)):
                await self._spec.woken.wait()
        except TimeoutError:
            return
        self._spec.woken.clear()

    async def _let_go(self) -> bool:
        try:
            await let_go(self._cluster, self._spec.document)
        except (PlatformUnavailable, StepRefused, ApiRefusal) as error:
            self._kept.fails(str(error))
            return False
        return True

    # --- before and after a cycle ----------------------------------------------------------------

    def _restored(self, prepared: Prepared) -> State:
        """Restore the state of an earlier process from the status."""
        told = self._reporter.status
        return State(decision=decision_from(prepared.service, told), blocks=blocks_from(told))

    async def _is_met(self, seen: Cycle) -> Condition:
        """
        Return the condition SLOMet. Behind a gateway it is unknown, as only the own router counts
        answers in time.
        """
        return await self._slo.condition(
            seen, self._reporter.status, is_counted=not self._cluster.gated
        )

    def _conflicts(self, seen: Cycle) -> list[Condition]:
        """Return the conflict condition, which names the other owners."""
        if not self._cluster.taken:
            return []
        refused = (r.message for r in seen.refusals if r.reason == Conflict.reason)
        return [condition_of(Conflict("; ".join((*self._cluster.taken, *dict.fromkeys(refused)))))]

    async def _clean_up(self, seen: Cycle) -> list[Condition]:
        if seen.service.mode is not Mode.AUTO or seen.observed is None:
            return []
        try:
            await self._cluster.clean_up(seen.rollout.updates if seen.rollout else frozenset())
        except StepRefused as refused:
            return [condition_of(refused)]
        return [shortage_of(refused) for refused in self._cluster.refused_pods()]

    async def _report(self, seen: Cycle, found: tuple[Condition, ...]) -> None:
        before = self._reporter.status
        status = status_of(
            seen.service,
            self._spec.document["metadata"]["generation"],
            seen.decision,
            calm(seen, found, before),
            before,
            seen.now_s,
            changed=self._untold,
            blocks=None if seen.observed is None else seen.blocks,
            error_budget=seen.state.error_budget,
            served_accuracy=seen.state.served_accuracy,
        )
        if await self._reporter.report(status):
            self._untold = False

    async def report_failure(self, error: BaseException) -> None:
        """Report a fault of the operator itself, which otherwise only its log would show."""
        self._context.metrics.count_error(self.owner.namespace, self.owner.name, "LoopFailed")
        found = unparsed(loop_failed(error), self._spec.mode)
        generation = self._spec.document["metadata"]["generation"]
        before = self._reporter.status
        await self._reporter.report(without_service(generation, found, before, time.time()))

    async def _report_problem(self, problem: Condition, now_s: float) -> None:
        """Of a service that can't be looked at."""
        found = unparsed(problem, self._spec.mode)
        self._context.metrics.record_problem(self.owner.namespace, self.owner.name, found, now_s)
        generation = self._spec.document["metadata"]["generation"]
        before = self._reporter.status
        await self._reporter.report(without_service(generation, found, before, now_s))
