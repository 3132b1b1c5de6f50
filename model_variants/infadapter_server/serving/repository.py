"""
The models of one server: which can be loaded, which are, what each takes, and in how much memory.

It knows files and numbers and decides nothing: the scheduler decides what is in memory, executors
load it, and the driver reports both here.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from infadapter_scheduler import Model
from infadapter_server.executors.messages import ModelLoaded, Outcome
from infadapter_server.memory import LEAST_BYTES
from infadapter_server.networks.stored import Stored
from infadapter_server.serving.catalogue import Changes, differences
from infadapter_server.serving.costs import Costs
from infadapter_server.serving.layout import Found, Unfit, readable
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.standing import Failure, Standing, State

__all__ = ["CPU_PAGE_BYTES", "NotServed", "Repository", "State"]

CPU_PAGE_BYTES = LEAST_BYTES
"""
Page size on CPU. Clockwork's 16 MiB are for GPUs, where pages are real; here they only count
allocations.
"""

_log = logging.getLogger(__name__)


class NotServed(Exception):
    """Why a model doesn't answer: an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.status, self.retry_after_s = status, retry_after_s


class Repository:
    """All methods must be called from one thread, except `read`, which only reads files."""

    def __init__(
        self,
        read: Callable[[], Mapping[str, Found | Unfit]],
        measurements: Measurements,
        *,
        memory_bytes: int | None = None,
        page_bytes: int = CPU_PAGE_BYTES,
    ) -> None:
        self.read = read
        self.memory_bytes, self.page_bytes = memory_bytes, page_bytes
        self._costs = Costs(measurements, page_bytes)
        self._found: dict[str, Found | Unfit] = {}
        self._standing: dict[str, Standing] = {}
        self.take(read())

    @property
    def pages(self) -> int | None:
        """Pages of an executor's cache; None: memory for all models."""
        return None if self.memory_bytes is None else self.memory_bytes // self.page_bytes

    def take(self, found: Mapping[str, Found | Unfit]) -> Changes:
        """Take over the models just read. Changed ones are to be loaded again."""
        changes = differences(self._found, found)
        self._found = dict(found)
        for name in (*changes.changed, *changes.removed):
            self.standing(name).forget()
        self._tell((*changes.added, *changes.changed))
        return changes

    def _tell(self, names: Sequence[str]) -> None:
        """
        Log why models can't be served, for whoever starts the server; clients get the same reason.
        """
        if not self._found:
            _log.warning("There is no model to serve: a model is a folder NAME in the repository.")
        for name in names:
            entry = self._found[name]
            reason = entry.reason if isinstance(entry, Unfit) else self._too_large(entry)
            if reason:
                _log.warning("%s can't be served: %s", name, reason)
            elif isinstance(entry, Found) and entry.unread:
                _log.warning("%s: %s", name, entry.unread)

    def models(self) -> dict[str, Stored]:
        """All models that can be served now, by name; resting ones can't."""
        return {name: stored for name, stored in self._stored() if not self.standing(name).rests}

    def resting(self) -> tuple[str, ...]:
        """Models that could be served if their loads ended."""
        return tuple(name for name, _ in self._stored() if self.standing(name).rests)

    def failure(self) -> str | None:
        """Why nothing at all can be served, if no model could be loaded."""
        failures = [self.standing(name).failure for name, _ in self._stored()]
        reasons = [failure.reason for failure in failures if failure is not None]
        return reasons[0] if reasons and len(reasons) == len(failures) else None

    def unserved(self) -> str | None:
        """If no model can be served now, the reason of the first."""
        if self.models():
            return None
        return next(
            (f"{n} can't be served: {self._row(n, e)['reason']}" for n, e in self._found.items()),
            None,
        )

    def kernel_model(self, name: str) -> Model:
        """Return the model for the scheduler, which its first loads change."""
        return self._costs.model(self._of(name))

    def known_model(self, name: str) -> Model | None:
        """As `kernel_model`; None for a model that can't be served."""
        return self.kernel_model(name) if name in self.models() else None

    def unmeasured(self) -> tuple[str, ...]:
        """Models that must be loaded to measure them; a profile in the configuration saves that."""
        return tuple(name for name in self.models() if self._costs.missing(self._of(name)))

    def pinned(self) -> tuple[str, ...]:
        return tuple(name for name in self.models() if self._of(name).config.pinned)

    def resolve(self, name: str, version: str | None, now_s: float) -> Found:
        """Return the model of a request. Raises NotServed."""
        entry = self._found.get(name)
        if entry is None:
            raise NotServed(404, f"There is no model {name[:80]!r} here.")
        if isinstance(entry, Unfit):
            raise NotServed(503, f"{name} can't be served: {entry.reason}")
        if version not in (None, entry.stored.version):
            there = entry.stored.version
            raise NotServed(
                404, f"There is no version {version[:80]!r} of {name}; there is {there}."
            )
        if reason := self._too_large(entry):
            raise NotServed(507, reason)
        if failure := self.standing(name).failed_lately(now_s):
            sentence = f"{name} can't be served: {failure.reason}"
            raise NotServed(503, sentence, failure.left_s(now_s))
        return entry

    def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """Return Triton's repository index; with `ready` only models in memory."""
        rows = [self._row(name, entry) for name, entry in self._found.items()]
        return [row for row in rows if row["state"] == State.READY or not ready]

    def standing(self, name: str) -> Standing:
        return self._standing.setdefault(name, Standing())

    def loading(self, name: str, executor: str = "", *, all_sizes: bool = False) -> Stored:
        """Return what an executor should load now, optionally warming up every batch size."""
        found = self._of(name)
        self.standing(name).loading(found.stamp, executor)
        return found.stored if all_sizes else self._costs.to_load(found)

    def expected_load_s(self, stored: Stored) -> float:
        """Return the expected time of a load as ordered, s."""
        return self._costs.expected_load_s(self._of(stored.name), stored.batch_sizes)

    def loaded(self, report: ModelLoaded, executor: str = "") -> None:
        """An executor has loaded the model, or failed to."""
        standing, found = self.standing(report.model), self._found.get(report.model)
        if report.outcome is not Outcome.DONE:
            failed = report.outcome is Outcome.FAILED
            failure = Failure(readable(report.error), report.end_s) if failed else None
            standing.failed(executor, failure)
            return
        standing.loaded(executor)
        if isinstance(found, Found) and found.stamp == standing.stamp:
            self._costs.learn(found, report)

    def resident(self, report: ModelLoaded, executor: str) -> bool:
        """
        Whether a joining executor may keep a model; not if it is another version, or too large.
        """
        found = self._found.get(report.model)
        if not isinstance(found, Found) or found.stored.version != report.version:
            return False
        self._costs.recall(found, report)
        if self._too_large(found):
            return False
        standing = self.standing(report.model)
        standing.loading(found.stamp, executor)
        standing.loaded(executor)
        return True

    def left(self, executor: str) -> list[str]:
        """Forget what the executor held, and return it."""
        names = [name for name, each in self._standing.items() if executor in each.holders]
        for name in names:
            self._standing[name].unloaded(executor)
        return names

    def _row(self, name: str, entry: Found | Unfit) -> dict[str, str]:
        if isinstance(entry, Unfit):
            state, reason, version = State.UNAVAILABLE, entry.reason, entry.version
        else:
            standing, version = self.standing(name), entry.stored.version
            state, reason = standing.state, self._too_large(entry) or standing.reason
        return {"name": name, "version": version, "state": str(state), "reason": reason}

    def _stored(self) -> Iterator[tuple[str, Stored]]:
        for name, entry in self._found.items():
            if isinstance(entry, Found) and not self._too_large(entry):
                yield name, entry.stored

    def _of(self, name: str) -> Found:
        found = self._found[name]
        assert isinstance(found, Found)
        return found

    def _too_large(self, found: Found) -> str | None:
        bound = self.memory_bytes
        if bound is None or self._costs.pages(found) <= bound // self.page_bytes:
            return None
        size = self._costs.bytes_of(found)
        return (
            f"{found.stored.name} takes {size / 2**20:.1f} MiB, and all models together may take "
            f"{bound / 2**20:.1f} MiB: give the server more --memory."
        )
