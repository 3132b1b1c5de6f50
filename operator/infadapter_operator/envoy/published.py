"""
The published versions of one service's weights, and the routers that poll for them.

Separate from the HTTP server: the knowledge about routers is data and outlives a request.
"""

import asyncio
from dataclasses import dataclass, field

from infadapter_operator.domain.steps import Backend
from infadapter_operator.envoy.endpoints import reweighed, version

_MOST_VERSIONS = 32
"""
Versions remembered per service, besides those that routers reported last. A router that is cut off
keeps its version, however many follow.
"""
REMEMBERED = ""  # stands for routers from before this process started


@dataclass(slots=True)
class Polled:
    """A router: when it last polled, the version it obeys, and the one it was offered since."""

    seen_s: float
    obeys: str
    offered: str = ""

    @property
    def may_obey(self) -> set[str]:
        return {self.obeys, self.offered or self.obeys}


@dataclass(slots=True)
class Published:
    """A service: its weights by version, oldest first, and the routers that poll for them."""

    versions: dict[str, tuple[Backend, ...]] = field(default_factory=dict)
    routers: dict[str, Polled] = field(default_factory=dict)
    restored: tuple[Backend, ...] = ()  # stored before this process started
    heard: asyncio.Event = field(default_factory=asyncio.Event)  # set at the first poll

    @property
    def current(self) -> str:
        return next(reversed(self.versions))

    def named(self) -> set[str]:
        """Return the versions that any router may obey, earlier processes' versions included."""
        found: set[str] = set()
        for router in self.routers.values():
            found |= router.may_obey if router.obeys else set(self.versions)
        return found

    def possible(self) -> list[tuple[Backend, ...]]:
        """Return the weights that any router may obey, newest first."""
        named = self.named()
        return [self.versions[name] for name in reversed(self.versions) if name in named]

    def add(self, backends: tuple[Backend, ...]) -> str:
        name = version(backends)
        self.versions.pop(name, None)  # move it to the end
        self.versions[name] = backends
        named = {n for router in self.routers.values() for n in (router.obeys, router.offered)}
        for old in list(self.versions)[:-_MOST_VERSIONS]:
            if old not in named:
                del self.versions[old]
        return name

    def learn(self, name: str) -> None:
        """
        Learn weights from a version name that a router echoes.

        After a restart the weights in force may be newer than the stored ones: the same pods with
        other weights, which the version name contains. The first one learnt replaces the stored
        weights, unless something was published since; further ones only tell what other routers
        still obey.
        """
        found = None if name in self.versions else reweighed(self.restored, name)
        if found is None:
            return
        if self.current == version(self.restored):
            self.versions = {name: found}
            if REMEMBERED in self.routers:
                self.routers[REMEMBERED].obeys = name
        else:
            self.versions = {name: found, **self.versions}
