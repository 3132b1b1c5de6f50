"""
Rests: a model whose load hangs, or ends its executor, is left alone for a while, each time for
twice as long.

Whatever it waits for may be missing everywhere, as a file system that is out of reach: to load it
on the next executor would cost that one too, and so on. So the scheduler doesn't know the model
until the rest is over, or its load has ended after all.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from infadapter_scheduler import Event, ModelRemoved
from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.wishes import Wishes

__all__ = ["Rests"]

BLAMED = 2
"""Executors in a row that were lost in a model's load. One may have been an accident."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rests:
    repository: Repository
    tell: Callable[[Event], None]
    wishes: Wishes

    def hangs(self, lane: Lane, now_s: float) -> None:
        """If that is in a load, the model rests; unless others have loaded it."""
        loading = lane.loading
        if loading is None:
            return
        name, standing = loading.model, self.repository.standing(loading.model)
        if standing.rests:
            standing.still_hangs(now_s)
        elif name in self.repository.models() and not standing.there:
            waited_s = now_s - loading.ordered_s
            reason = f"has not ended after {waited_s:.0f} s: look at its file's disk."
            self._begin(name, reason, now_s)

    def lost(self, lane: Lane, reason: str, now_s: float) -> None:
        """
        If that was in a load, and not for the first time, the model rests: what kills executors,
        as a file that takes more memory than there is, would go on to kill each that comes back.
        """
        loading = lane.loading
        if loading is None:
            return
        name, standing = loading.model, self.repository.standing(loading.model)
        standing.losses += 1
        served = name in self.repository.models() and not standing.there
        if served and standing.losses >= BLAMED:
            times = f"has ended its executor {standing.losses} times in a row"
            self._begin(name, f"{times}: {reason}", now_s)

    def _begin(self, name: str, why: str, now_s: float) -> None:
        standing = self.repository.standing(name)
        failure = standing.hung(f"The load of {name} {why}", now_s)
        _log.error("%s rests for %.0f s: %s", name, failure.retry_s, failure.reason)
        if self.wishes.begun:
            self.tell(ModelRemoved(name))
        self.wishes.look(name)

    def end(self, now_s: float) -> None:
        """They are loaded when somebody asks for them. What hangs in a thread goes on resting."""
        for name in self.repository.resting():
            standing = self.repository.standing(name)
            if not standing.holders and standing.failed_lately(now_s) is None:
                standing.failure = None
                self.wishes.serve(name)
