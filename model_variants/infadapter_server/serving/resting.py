"""
Rests: a model whose load hangs, or kills its executor, is not loaded for a while, each time twice
as long.

What it waits for may be missing everywhere, such as an unreachable file system: the next executor
would be lost as well. So the scheduler doesn't know the model until its rest is over, or its load
has ended after all.
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
"""Consecutive executors lost in a model's load; a single one may be an accident."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rests:
    repository: Repository
    tell: Callable[[Event], None]
    wishes: Wishes

    def hangs(self, lane: Lane, now_s: float) -> None:
        """Let the model rest if the executor hangs in its load, unless others have loaded it."""
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
        Let the model rest if executors were lost in its load repeatedly. A model that exceeds the
        memory would kill each executor that comes back.
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
        """
        End rests that are over. The models are loaded on demand. One that hangs in a thread keeps
        resting.
        """
        for name in self.repository.resting():
            standing = self.repository.standing(name)
            if not standing.holders and standing.failed_lately(now_s) is None:
                standing.failure = None
                self.wishes.serve(name)
