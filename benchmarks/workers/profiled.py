"""The profiles that the kernel begins with: one model of each variant, measured by each worker.

By each, since the first executions of a shape in a process are slow, whatever the model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, inf
from queue import SimpleQueue

from benchmarks.workers.offered import unmeasured
from infadapter_scheduler import Model
from infadapter_server.executors.messages import (
    LoadModel,
    ModelLoaded,
    Outcome,
    Report,
    UnloadModel,
)
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.networks.stored import Stored

PAGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Profile:
    execution_s: Mapping[int, float]
    load_s: float
    weights_bytes: int

    @property
    def pages(self) -> int:
        return ceil(self.weights_bytes / PAGE_BYTES)

    def model(self, name: str, slower: float) -> Model:
        """As the kernel begins with it, where cores are shared by more processes than there are."""
        execution_s = {size: slower * took_s for size, took_s in self.execution_s.items()}
        return Model(name, execution_s, slower * self.load_s, self.pages)


def profiles(addresses: Iterable[str], stored: Mapping[str, Stored]) -> dict[str, Profile]:
    """By variant, as the first worker measured it."""
    first, *_ = [_profiles(address, stored) for address in addresses]
    return first


def _profiles(address: str, stored: Mapping[str, Stored]) -> dict[str, Profile]:
    reports: SimpleQueue[Report] = SimpleQueue()
    executor = RemoteExecutor("profiled", address)
    executor.start(reports.put)
    reports.get()
    one_each = {model.variant: model for model in stored.values()}
    found = {variant: _profile(executor, reports, model) for variant, model in one_each.items()}
    executor.stop(within_s=5)
    return found


def _profile(executor: RemoteExecutor, reports: SimpleQueue[Report], stored: Stored) -> Profile:
    """The second load is one as they come later: hardly anything is measured any more."""
    measured = _load(executor, reports, stored)
    load = _load(executor, reports, unmeasured(stored))
    return Profile(measured.execution_s, load.end_s - load.begin_s, measured.weights_bytes)


def _load(executor: RemoteExecutor, reports: SimpleQueue[Report], stored: Stored) -> ModelLoaded:
    executor.submit(LoadModel(stored, 0.0, inf))
    report = reports.get()
    assert isinstance(report, ModelLoaded), report
    assert report.outcome is Outcome.DONE, report.error
    executor.submit(UnloadModel(stored.name))
    return report
