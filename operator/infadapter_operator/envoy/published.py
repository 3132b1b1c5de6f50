"""
The versions of one service's weights that were published, and the routers that poll for them.

Apart from the server, which speaks HTTP: what is known of routers is data, and outlives a request.
"""

import asyncio
from dataclasses import dataclass, field

from infadapter_operator.domain.steps import Backend
from infadapter_operator.envoy.endpoints import reweighed, version

_MOST_VERSIONS = 32
"""
Remembered of one service, beside those that its routers were last heard of with: one that is cut
off goes on by its version, however many come after it.
"""
REMEMBERED = ""  # stands for the routers of before this process started


@dataclass(slots=True)
class Polled:
    """A router: when it last asked, the version it obeys, and what it was offered since."""

    seen_s: float
    obeys: str
    offered: str = ""

    @property
    def may_obey(self) -> set[str]:
        return {self.obeys, self.offered or self.obeys}


@dataclass(slots=True)
class Published:
    """A service: its weights by version, oldest first, and the routers that ask for them."""

    versions: dict[str, tuple[Backend, ...]] = field(default_factory=dict)
    routers: dict[str, Polled] = field(default_factory=dict)
    restored: tuple[Backend, ...] = ()  # what was kept before this process started
    heard: asyncio.Event = field(default_factory=asyncio.Event)  # set at the first poll

    @property
    def current(self) -> str:
        return next(reversed(self.versions))

    def named(self) -> set[str]:
        """The versions that any of the routers may obey, of before this process started too."""
        found: set[str] = set()
        for router in self.routers.values():
            found |= router.may_obey if router.obeys else set(self.versions)
        return found

    def possible(self) -> list[tuple[Backend, ...]]:
        """What any of the routers may obey, the newest first."""
        named = self.named()
        return [self.versions[name] for name in reversed(self.versions) if name in named]

    def add(self, backends: tuple[Backend, ...]) -> str:
        name = version(backends)
        self.versions.pop(name, None)  # to the end, if it was there
        self.versions[name] = backends
        named = {n for router in self.routers.values() for n in (router.obeys, router.offered)}
        for old in list(self.versions)[:-_MOST_VERSIONS]:
            if old not in named:
                del self.versions[old]
        return name

    def learn(self, name: str) -> None:
        """
        What is in force may be newer than what was kept: the same pods with other weights, which
        the router's version says. The first that is learnt takes the place of what was kept, unless
        something was published since; one more only tells what another router obeys still.
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
