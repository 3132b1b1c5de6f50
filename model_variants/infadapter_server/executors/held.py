"""A network in an executor's memory, with its operating points if it has any."""

import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from infadapter_server.executors.opening import Loaded
from infadapter_server.networks.adaptive.points import (
    AdaptiveNetwork,
    Point,
    UnknownPoint,
    check_points,
    check_profiled,
)
from infadapter_server.networks.answers import check_answer
from infadapter_server.networks.signatures import Floats, LoadError, Model, Signature
from infadapter_server.networks.stored import Stored
from infadapter_server.serving.quota import stopped_s

WARM_UPS = 3
"""Executions per batch size after loading: the first is slow, the fastest becomes the estimate."""


class Held:
    """
    The network. Requests that name no point are answered by the most accurate. Raises LoadError for
    invalid points.
    """

    def __init__(self, network: Loaded, stored: Stored) -> None:
        self._stored, self._network = stored, network
        self._points: tuple[Point, ...] = ()
        self.use_threads = network.use_threads
        self._answer: Callable[[Floats, str], Floats]
        if isinstance(network, AdaptiveNetwork):
            self._points = _ordered(network, stored)
            self._answer = _by_name(network, self._points, stored.signature)
        else:
            self._answer = _only(network)

    @property
    def weights_bytes(self) -> int:
        """
        Return the size of the weights. Raises LoadError if a user's network reports something
        invalid.
        """
        said = self._network.weights_bytes
        if not isinstance(said, int) or said < 0:
            raise LoadError(
                f"{self._stored.name} has the weights_bytes {str(said)[:80]}: it must be a whole "
                "number of bytes."
            )
        return said

    def answer(self, rows: Floats, point: str) -> Floats:
        """Compute a batch. Raises UnknownPoint, and whatever a user's network raises."""
        return self._answer(rows, point)

    def warmed_up(
        self, clock: Callable[[], float] = time.monotonic
    ) -> tuple[dict[int, float], tuple[Point, ...]]:
        """Return seconds by batch size without a named point, and all points as measured here."""
        sizes = self._stored.batch_sizes
        points = tuple(
            Point(each.name, each.accuracy, self._timed(each.name, sizes, clock))
            for each in self._points
        )
        if points:
            return dict(points[-1].execution_s), points
        return self._timed("", sizes, clock), ()

    def _timed(
        self, point: str, sizes: Iterable[int], clock: Callable[[], float]
    ) -> dict[int, float]:
        return {size: self._warm_up(point, size, clock) for size in sizes}

    def _warm_up(self, point: str, size: int, clock: Callable[[], float]) -> float:
        zeros = np.zeros((size, *self._stored.signature.input_shape), np.float32)
        return min(
            _full_speed_s(partial(self.answer, zeros, point), clock) for _ in range(WARM_UPS)
        )


def _full_speed_s(execution: Callable[[], object], clock: Callable[[], float]) -> float:
    """
    Return the time of an execution without throttling. A pod with a tenth of a core is throttled
    within a single large batch, for several times its computing time; relative to single images,
    which are not, large batches would look useless.
    """
    stopped_before_s, computed_before_s, began_s = stopped_s(), time.thread_time(), clock()
    execution()
    took_s, held_s = clock() - began_s, stopped_s() - stopped_before_s
    return max(time.thread_time() - computed_before_s, took_s - held_s) if held_s > 0 else took_s


def _ordered(network: AdaptiveNetwork, stored: Stored) -> tuple[Point, ...]:
    points = tuple(network.points)
    check_points(stored.name, points)
    if stored.profiled_points:
        check_profiled(stored.name, stored.profiled_points, points)
    return tuple(sorted(points, key=lambda point: point.accuracy))


def _by_name(
    network: AdaptiveNetwork, points: tuple[Point, ...], signature: Signature
) -> Callable[[Floats, str], Floats]:
    best, names = points[-1].name, frozenset(point.name for point in points)

    def answer(rows: Floats, point: str) -> Floats:
        if point and point not in names:
            raise UnknownPoint(point, points)
        outputs = network.run(rows, point or best)
        kind = str(getattr(outputs, "dtype", type(outputs).__name__))
        check_answer(tuple(getattr(outputs, "shape", ())), kind, rows.shape, signature)
        return outputs

    return answer


def _only(model: Model) -> Callable[[Floats, str], Floats]:
    def answer(rows: Floats, point: str) -> Floats:
        if point:
            raise UnknownPoint(point, ())
        return model(rows)

    return answer
