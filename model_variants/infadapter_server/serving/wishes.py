"""
Explicit loads and unloads, by people and through changed files: passed to the scheduler, and
awaited.

It suffices that the state was reached once; a moment later somebody else may want the opposite.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from infadapter_scheduler import (
    Event,
    KeepLoaded,
    LoadWanted,
    Model,
    ModelRemoved,
    UnloadWanted,
)
from infadapter_server.serving.allowances import Allowances
from infadapter_server.serving.catalogue import Changes
from infadapter_server.serving.repository import NotServed, Repository

__all__ = ["Wishes"]

PATIENCE_S = 30.0
"""Seconds a caller waits at most: loads and unloads happen in an order that keeps all promises."""


@dataclass(slots=True, eq=False)
class _Wish:
    to_load: bool
    reached: Callable[[], bool]
    fulfilled: asyncio.Future[None]


@dataclass(slots=True)
class Wishes:
    repository: Repository
    tell: Callable[[Event], None]
    slower: Callable[[Model], Model]
    allowances: Allowances
    begun: bool = False  # there is a scheduler
    _of: dict[str, list[_Wish]] = field(default_factory=dict)

    async def load(self, name: str) -> None:
        """Wait until the model is in memory. Raises NotServed."""
        self._check_begun()
        standing = self.repository.standing(name)
        rested = standing.rests
        standing.leaving, standing.failure = False, None
        if rested:
            self.serve(name)
        self.look(name)
        self.tell(LoadWanted(name))
        await self._until(name, lambda: standing.there or standing.failure is not None, load=True)
        if standing.failure is not None:
            raise NotServed(503, f"{name} can't be served: {standing.failure.reason}")

    async def unload(self, name: str) -> None:
        """
        Wait until it is out of memory, after accepted requests are answered. Raises NotServed.
        """
        self._check_begun()
        if name in self.repository.pinned():
            raise NotServed(400, f"{name} is pinned by its configuration.")
        standing = self.repository.standing(name)
        standing.unloading()
        if not standing.holders:
            self._refuse_loads(name, NotServed(503, f"{name} was unloaded meanwhile.", 1.0))
        self.tell(UnloadWanted(name))
        await self._until(name, lambda: not standing.leaving, load=False)

    def changed(self, changes: Changes) -> None:
        """Take over changed files."""
        if not self.begun:
            return  # the scheduler begins with those that there are then
        served = self.repository.models()
        for name in (*changes.removed, *changes.changed):
            if name not in served:
                self.tell(ModelRemoved(name))
                self._refuse_loads(name, NotServed(404, f"{name} is there no longer."))
        for name in (*changes.added, *changes.changed):
            if name in served:
                self.serve(name)

    def serve(self, name: str) -> None:
        """Register the model, as it is now, with the scheduler."""
        if not self.begun:
            return
        self.tell(self.allowances.added(self.slower(self.repository.kernel_model(name))))
        pinned = name in self.repository.pinned()
        self.tell(KeepLoaded(name, kept=pinned))
        if pinned or self.to_load(name):
            self.tell(LoadWanted(name))

    def look(self, name: str) -> None:
        """The state of the model has changed: complete the requests that wait for it."""
        for wish in self._of.get(name, ()):
            if not wish.fulfilled.done() and wish.reached():
                wish.fulfilled.set_result(None)

    def to_load(self, name: str) -> bool:
        """Whether somebody waits for the model to be loaded."""
        return any(wish.to_load and not wish.fulfilled.done() for wish in self._of.get(name, ()))

    def _check_begun(self) -> None:
        if not self.begun:
            raise NotServed(503, "The models are still being measured.", 1.0)

    async def _until(self, name: str, reached: Callable[[], bool], *, load: bool) -> None:
        if reached():
            return
        wish = _Wish(load, reached, asyncio.get_running_loop().create_future())
        wishes = self._of.setdefault(name, [])
        wishes.append(wish)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await wish.fulfilled
        except TimeoutError:
            state = self.repository.standing(name).state
            raise NotServed(503, f"{name} is still {state}.", 1.0) from None
        finally:
            wishes.remove(wish)

    def _refuse_loads(self, name: str, why: NotServed) -> None:
        """Refuse waiting loads, because somebody wanted the opposite later."""
        for wish in self._of.get(name, ()):
            if wish.to_load and not wish.fulfilled.done():
                wish.fulfilled.set_exception(why)
