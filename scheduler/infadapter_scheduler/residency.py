"""
Residency: which models an executor's memory holds, in pages, evicted least recently used first.
"""

from dataclasses import dataclass, field

PAGE_BYTES = 16 * 1024 * 1024
"""Clockwork's page size. A model uses whole pages, not necessarily contiguous ones."""


@dataclass(slots=True)
class PageCache:
    """
    The pages of one executor (`pages` None: room for all models). Models with accepted requests are
    pinned, and so are those being loaded.
    """

    pages: int | None
    used: int = 0
    sizes: dict[str, int] = field(default_factory=dict)  # in the order of use, oldest first
    loading: dict[str, float] = field(default_factory=dict)  # when each is expected
    pinned: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)  # by an operator; of all executors
    reserved: bool = False  # free pages are reserved for a deferred load

    def holds(self, model: str) -> bool:
        return model in self.sizes

    def idle(self, model: str) -> bool:
        """Whether no accepted request needs the model here, and it isn't being loaded."""
        return model not in self.pinned and model not in self.loading

    def touch(self, model: str) -> None:
        """Mark the model as just used."""
        if self.pages is not None:
            self.sizes[model] = self.sizes.pop(model)

    def has_room(self, pages: int) -> bool:
        """Whether this many pages are free without an eviction."""
        return self.pages is None or self.used + pages <= self.pages

    def victims(self, pages: int) -> list[str] | None:
        """Return the models to evict for this many pages; None if that is impossible now."""
        if self.reserved:
            return None
        if self.pages is None or self.has_room(pages):
            return []
        missing = self.used + pages - self.pages
        chosen: list[str] = []
        for model, size in self.sizes.items():
            if self.idle(model) and model not in self.kept:
                chosen.append(model)
                missing -= size
                if missing <= 0:
                    return chosen
        return None

    def evict(self, pages: int) -> list[str] | None:
        """Evict the `victims` and return them."""
        victims = self.victims(pages)
        for victim in victims or ():
            self.drop(victim)
        return victims

    def keep(self, model: str, pages: int) -> None:
        """Register a model that is in memory already."""
        self.reserve(model, pages, 0.0)
        self.loaded(model)

    def reserve(self, model: str, pages: int, expected_s: float) -> None:
        """Take the pages when the load is sent."""
        self.sizes[model] = pages
        self.used += pages
        self.loading[model] = expected_s

    def loaded(self, model: str) -> None:
        self.loading.pop(model, None)

    def drop(self, model: str) -> None:
        self.loading.pop(model, None)
        self.used -= self.sizes.pop(model)

    def pin(self, model: str) -> None:
        self.pinned[model] = self.pinned.get(model, 0) + 1

    def unpin(self, model: str) -> None:
        self.pinned[model] -= 1
        if not self.pinned[model]:
            del self.pinned[model]
