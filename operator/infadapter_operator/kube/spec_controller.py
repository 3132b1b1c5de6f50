"""
Prepare what a service asks for whenever it changes: templates, profiles, router, borrowed
Deployments.

While a new spec is invalid the last valid one stays in force, and a condition says what is wrong.
"""

import asyncio
from dataclasses import dataclass, field

from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.finalizer import have_finalizer
from infadapter_operator.kube.preflight import Preflight
from infadapter_operator.kube.prepare import Prepared, Unprepared, prepare
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.report import condition_of
from infadapter_operator.kube.routers.choice import Routers
from infadapter_operator.kube.statuses import part, text
from infadapter_operator.periodic import is_due
from infadapter_operator.reporting.condition import Condition

RESYNC_EVERY_S = 30.0
"""
Seconds between checks of objects that only a spec changes: the router's objects, borrowed
Deployments.
"""

RETRY_EVERY_S = 5.0


@dataclass(slots=True)
class SpecController:
    """The spec of one service. `prepared` is None until a spec can be carried out."""

    context: Context
    cluster: KubeCluster
    document: Json
    routers: Routers
    preflight: Preflight
    prepared: Prepared | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _problem: Condition | None = None  # problem of the newest spec
    _is_new: bool = True  # whether object or profiles changed since the last preparation
    _cared_at_s: float = float("-inf")

    def update(self, document: Json) -> None:
        """Take over a changed object. A change of its status alone is ignored."""
        news = _asked(document) != _asked(self.document)
        self.document = document
        if news:
            self.poke()

    def poke(self) -> None:
        """An object that the service names has changed."""
        self._is_new = True
        self.woken.set()

    @property
    def is_deleted(self) -> bool:
        return "deletionTimestamp" in self.document["metadata"]

    @property
    def mode(self) -> Mode:
        """The mode, even of an otherwise invalid spec, so that Paused always takes effect."""
        mode = text(part(self.document, "spec"), "mode")
        return Mode(mode) if mode in set(Mode) else Mode.AUTO

    async def check(self, now_s: float) -> list[Condition]:
        """
        Prepare a changed spec, ensure the objects that a cycle relies on, and return the problems
        of both.

        Raises PlatformUnavailable or ApiRefusal; the next call retries.
        """
        due = is_due(self._cared_at_s, RESYNC_EVERY_S, now_s)
        if self._is_new or (due and self._problem):
            self._is_new = False  # reset first: it may be set again during preparation
            try:
                await self._prepare(now_s)
            except BaseException:
                self._is_new = True
                raise
        troubles = [] if self._problem is None else [self._problem]
        return troubles if self.prepared is None else [*troubles, *await self._care(now_s)]

    def available(self, prepared: Prepared) -> Service:
        return self.preflight.available(prepared.service)

    async def _prepare(self, now_s: float) -> None:
        """Prepare the newest spec; if it is invalid keep the one before, and record the problem."""
        owner, settings = self.cluster.owner, self.context.settings
        profiles = self.context.profiles_of(owner.namespace)
        try:
            prepared = prepare(self.document, profiles, settings)
            await self.preflight.templates(prepared)
        except Unprepared as unprepared:
            self._problem, self._cared_at_s = unprepared.condition, now_s
            reason = unprepared.condition.reason
            self.context.metrics.count_error(owner.namespace, owner.name, reason)
            return
        self._problem, self.prepared = None, prepared
        self.cluster.workloads = prepared.workloads
        self.cluster.gated = prepared.traffic is not None
        self._cared_at_s = float("-inf")

    async def _care(self, now_s: float) -> list[Condition]:
        every_s = RETRY_EVERY_S if self.preflight.trouble else RESYNC_EVERY_S
        if is_due(self._cared_at_s, every_s, now_s):
            await self.preflight.borrowed()
            if self.mode is Mode.AUTO:
                try:
                    await self._have()
                except ApiRefusal as refusal:
                    self.preflight.trouble = condition_of(refusal.as_step_refused())
                except StepRefused as refused:
                    self.preflight.trouble = condition_of(refused)
            else:
                self.preflight.trouble = None
            self._cared_at_s = now_s
        return self.preflight.problems()

    async def _have(self) -> None:
        assert self.prepared is not None
        if self.prepared.borrows:
            self.document = await have_finalizer(self.cluster, self.document)
        await self.routers.ensure(self.prepared)
        self.preflight.trouble = await self.routers.trouble()


def _asked(document: Json) -> tuple[object, bool]:
    metadata = document["metadata"]
    return metadata.get("generation"), "deletionTimestamp" in metadata
