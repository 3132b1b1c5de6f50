"""Wishes: people wait until a model is in memory, or out of it; as it once was, that is enough."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from infadapter_server.serving.repository import NotServed

__all__ = ["Wishes"]

PATIENCE_S = 30.0
"""How long somebody waits: loads and unloads come in an order that keeps all promises."""


@dataclass(slots=True, eq=False)
class _Wish:
    to_load: bool
    reached: Callable[[], bool]
    fulfilled: asyncio.Future[None]


@dataclass(slots=True)
class Wishes:
    _of: dict[str, list[_Wish]] = field(default_factory=dict)

    async def until(self, name: str, reached: Callable[[], bool], *, to_load: bool) -> None:
        """Raises TimeoutError, and what it is refused with."""
        if reached():
            return
        wish = _Wish(to_load, reached, asyncio.get_running_loop().create_future())
        wishes = self._of.setdefault(name, [])
        wishes.append(wish)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await wish.fulfilled
        finally:
            wishes.remove(wish)

    def look(self, name: str) -> None:
        """How it stands has changed: is it as somebody wants it?"""
        for wish in self._of.get(name, ()):
            if not wish.fulfilled.done() and wish.reached():
                wish.fulfilled.set_result(None)
        if not self._of.get(name, True):
            del self._of[name]

    def to_load(self, name: str) -> bool:
        """Somebody waits for it to come."""
        return any(wish.to_load and not wish.fulfilled.done() for wish in self._of.get(name, ()))

    def refuse_loads(self, name: str, why: NotServed) -> None:
        """Somebody else wanted the opposite later."""
        for wish in self._of.get(name, ()):
            if wish.to_load and not wish.fulfilled.done():
                wish.fulfilled.set_exception(why)
