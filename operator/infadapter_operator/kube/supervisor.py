"""One task for each service, started again should it ever end by a mistake of ours."""

import asyncio
import logging
import time

from infadapter_operator.kube.client import Json
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.scaling_loop import ServiceLoop

_logger = logging.getLogger(__name__)
RESTART_AFTER_S = 10.0
STALLED_AFTER_S = 60.0


class Loops:
    """Told of objects, in any order; a service or profile that is named before it comes, comes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loops: dict[str, ServiceLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def on_service(self, deleted: bool, document: Json) -> None:
        uid = document["metadata"]["uid"]
        if deleted:
            self._forget(uid)
            return
        self._context.services[uid] = document
        if uid in self._loops:
            self._loops[uid].update(document)
            return
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
        """Which service has not been looked at for too long, if one has not."""
        now_s = time.monotonic()
        late = (
            f"{loop.owner.namespace}/{loop.owner.name}"
            for uid, loop in self._loops.items()
            if not self._tasks[uid].done() and now_s - loop.ticked_at_s > STALLED_AFTER_S
        )
        return next(late, None)

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, uid: str) -> None:
        while uid in self._loops:
            running = asyncio.create_task(self._loops[uid].run())
            try:
                await asyncio.wait([running])
            finally:
                running.cancel()
            error = running.exception() if not running.cancelled() else None
            if error is None:
                return
            _logger.error("a loop failed and is started again", exc_info=error)
            self._loops[uid].ticked_at_s = time.monotonic()  # one service's fault, not the others'
            await asyncio.sleep(RESTART_AFTER_S)

    def _forget(self, uid: str) -> None:
        loop = self._loops.pop(uid, None)
        self._context.services.pop(uid, None)
        task = self._tasks.pop(uid, None)
        if task:
            task.cancel()
        if loop:
            loop.forget()


def _key(document: Json) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]
