"""Run one task per service, and restart it if it ever ends by a fault of ours."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from infadapter_operator.kube.client import Json
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.routers.objects import service_key
from infadapter_operator.kube.scaling_loop import ServiceLoop
from infadapter_operator.recurring import Recurring
from infadapter_operator.settings import Settings

_logger = logging.getLogger(__name__)
RESTART_AFTER_S = 10.0
WORKS_AFTER_S = 60.0
"""Seconds after which a restarted loop counts as working."""

STALLED_AFTER_S = 60.0
QUESTIONS, REQUESTS = 8, 2
"""
Requests per cycle, to Prometheus and to the API server, that may each take their whole timeout.
"""


class Loops:
    """The loops of all services. Objects may arrive in any order."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loops: dict[str, ServiceLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[
            str, asyncio.Task[None]
        ] = {}  # the work that each task currently awaits

    def on_service(self, deleted: bool, document: Json) -> None:
        uid = document["metadata"]["uid"]
        if deleted:
            self._forget(uid)
            return
        if uid in self._loops:
            self._context.services[uid] = document
            self._loops[uid].update(document)
            return
        self._forget_namesake(_key(document))
        self._context.services[uid] = document
        self._loops[uid] = ServiceLoop(self._context, document)
        self._tasks[uid] = asyncio.create_task(self._supervise(uid))

    def know_profile(self, document: Json) -> None:
        self._context.profiles[_key(document)] = document

    def on_profile(self, deleted: bool, document: Json) -> None:
        namespace, _ = _key(document)
        if deleted:
            self._context.profiles.pop(_key(document), None)
        else:
            self.know_profile(document)
        for loop in self._loops.values():
            if loop.owner.namespace == namespace:
                loop.poke()

    def stalled(self) -> str | None:
        """Return a service whose loop has made no progress for too long, or None."""
        now_s, patience_s = time.monotonic(), stalled_after_s(self._context.settings)
        late = (
            f"{loop.owner.namespace}/{loop.owner.name}"
            for uid, loop in self._loops.items()
            if not self._tasks[uid].done() and now_s - loop.ticked_at_s > patience_s
        )
        return next(late, None)

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, uid: str) -> None:
        name = service_key(self._loops[uid].owner)
        failed = Recurring(_logger, f"{name}: its loop failed and is restarted")
        untold = Recurring(_logger, f"{name}: its failure could not be reported")
        while uid in self._loops:
            began_s = time.monotonic()
            error = await self._end_of(uid, self._loops[uid].run())
            if error is None or uid not in self._loops:
                return
            if time.monotonic() - began_s >= WORKS_AFTER_S:
                failed.recovers()
            failed.fails(repr(error), error)
            another = await self._end_of(uid, self._loops[uid].report_failure(error))
            if another is None:
                untold.recovers()
            else:
                untold.fails(repr(another), another)
            # The fault of one service must not fail the liveness probe of all.
            self._loops[uid].ticked_at_s = time.monotonic()
            await asyncio.sleep(RESTART_AFTER_S)

    async def _end_of(self, uid: str, work: Coroutine[Any, Any, None]) -> BaseException | None:
        """
        Return the error that ended the task, or None. A task that a library cancelled has failed,
        too.
        """
        running = self._running[uid] = asyncio.create_task(work)
        try:
            await asyncio.wait([running])
        finally:
            running.cancel()
        return asyncio.CancelledError() if running.cancelled() else running.exception()

    def _forget_namesake(self, key: tuple[str, str]) -> None:
        """
        Forget an earlier object of the same name: its deletion was missed, or will be reported
        later.
        """
        for uid, there in list(self._context.services.items()):
            if _key(there) == key:
                self._forget(uid)

    def _forget(self, uid: str) -> None:
        """
        Stop a service's loop at once. A further cycle would write weights and metrics of a deleted
        object.
        """
        self._context.services.pop(uid, None)
        for task in (self._tasks.pop(uid, None), self._running.pop(uid, None)):
            if task:
                task.cancel()
        if loop := self._loops.pop(uid, None):
            loop.forget()


def stalled_after_s(settings: Settings) -> float:
    """
    Return the time after which a loop counts as stalled, s. Waiting for configured timeouts is not
    stalling, and a restarted process would have to wait again.
    """
    told_s = QUESTIONS * settings.prometheus_timeout_s + REQUESTS * settings.kubernetes_timeout_s
    return max(STALLED_AFTER_S, told_s)


def _key(document: Json) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]
