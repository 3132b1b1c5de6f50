"""An executor in virtual time, which records its driver's orders, faulty ones too."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import numpy as np

from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Order,
    Outcome,
    Report,
    UnloadModel,
    UseThreads,
)
from infadapter_server.executors.port import Tell
from infadapter_server.networks.adaptive.points import Point
from infadapter_server.networks.stored import Stored


@dataclass(frozen=True)
class Kind:
    """
    The behaviour of a model: seconds per image, per batch and for loading; its bytes; the `fault`
    that prevents loading; `kills`, whether loading ends the executor. With operating points, a
    batch takes the time of its point.
    """

    image_s: float = 0.01
    batch_s: float = 0.0
    load_s: float = 0.05
    weights_bytes: int = 2**20
    fault: str = ""
    kills: bool = False
    points: tuple[Point, ...] = ()

    def takes_s(self, images: int, point: str = "") -> float:
        for each in self.points:
            if each.name == point:
                return each.execution_s[images]
        return self.batch_s + images * self.image_s


@dataclass
class VirtualExecutor:
    """Executes one order at a time. `most_bytes`: the most that loaded models took at once."""

    name: str
    kinds: Mapping[str, Kind]
    held: dict[str, Stored] = field(default_factory=dict)
    most_bytes: int = 0
    unloaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # models requested without being loaded
    batches: list[int] = field(default_factory=list)  # images of each computed batch
    _orders: list[tuple[float, int, Order]] = field(default_factory=list)
    _sequence: "count[int]" = field(default_factory=count)
    loads: Counter[str] = field(default_factory=Counter)
    _busy: bool = False
    _lives: int = 0
    _lost: bool = False
    returns: bool = False
    ready: ExecutorReady = field(default_factory=ExecutorReady)

    def start(self, tell: Tell) -> None:
        self._tell, self._loop = tell, asyncio.get_running_loop()
        self._tell(self.ready)

    def submit(self, order: Order) -> None:
        earliest_s = order.earliest_s if isinstance(order, Infer | LoadModel) else 0.0
        heappush(self._orders, (earliest_s, next(self._sequence), order))
        self._loop.call_soon(self._next)

    def stop(self, within_s: float) -> bool:
        return True

    def lose(self) -> None:
        """Lose the executor: its orders and models are gone, and nothing is reported any more."""
        self._orders.clear()
        self.held.clear()
        self._lost = True
        self._tell(ExecutorLost(f"{self.name} was lost."))

    def come_back(self) -> None:
        """Return without models or orders; results of the earlier life are not reported."""
        self._lives += 1
        self._lost = self._busy = False
        self._tell(self.ready)

    def abandon(self) -> None:
        self.lose()

    def _next(self) -> None:
        if self._busy or self._lost or not self._orders:
            return
        wait_s = self._orders[0][0] - self._loop.time()
        if wait_s > 0:
            self._loop.call_later(wait_s, self._next)
            return
        order = heappop(self._orders)[2]
        took_s, report = self._do(order)
        self._busy = True
        self._loop.call_later(took_s, self._done, report, self._lives)

    def _done(self, report: Report | None, life: int) -> None:
        if life != self._lives:
            return
        self._busy = False
        if report is not None and not self._lost:
            self._tell(report)
        self._next()

    def _do(self, order: Order) -> tuple[float, Report | None]:
        match order:
            case Infer():
                return self._infer(order)
            case LoadModel():
                return self._load(order)
            case UnloadModel(model):
                self.held.pop(model, None)
                self.unloaded.append(model)
            case UseThreads():
                pass
        return 0.0, None

    def _infer(self, order: Infer) -> tuple[float, Inferred]:
        now_s, images = self._loop.time(), len(order.rows)
        if order.model not in self.held:
            self.missing.append(order.model)
            return 0.0, Inferred(order.run, Outcome.FAILED, now_s, now_s, error="is not loaded")
        if now_s > order.latest_s + 1e-9:
            return 0.0, Inferred(order.run, Outcome.TOO_LATE, now_s, now_s)
        self.batches.append(images)
        took_s = self.kinds[order.model].takes_s(images, order.point)
        outputs = np.zeros((images, 1), np.float32)
        return took_s, Inferred(order.run, Outcome.DONE, now_s, now_s + took_s, outputs)

    def _load(self, order: LoadModel) -> tuple[float, ModelLoaded]:
        now_s, stored = self._loop.time(), order.stored
        kind = self.kinds[stored.name]
        spent = {n: kind.takes_s(n) for n in stored.batch_sizes}
        took_s = kind.load_s + 3 * sum(spent.values())
        if now_s > order.latest_s:
            return 0.0, ModelLoaded(stored.name, Outcome.TOO_LATE, now_s, now_s)
        if kind.kills:
            self.loads[stored.name] += 1
            self._loop.call_later(0.05, self.lose)
            return 1e6, ModelLoaded(stored.name, Outcome.LOST, now_s, now_s)
        if kind.fault:
            failed = ModelLoaded(stored.name, Outcome.FAILED, now_s, now_s + 0.01, error=kind.fault)
            return 0.01, failed
        self.held[stored.name] = stored
        self.loads[stored.name] += 1
        size = sum(self.kinds[name].weights_bytes for name in self.held)
        self.most_bytes = max(self.most_bytes, size)
        return took_s, ModelLoaded(
            stored.name,
            Outcome.DONE,
            now_s,
            now_s + took_s,
            kind.weights_bytes,
            spent,
            points=kind.points,
        )
