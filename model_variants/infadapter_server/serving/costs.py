"""
The costs of a model in bytes and seconds: measured, configured, or guessed.

Two loads measure it. The first warms up every batch size and measures executions. The second warms
up only the smallest, like all later ones, and measures the load: for a ResNet-18 0.2 s instead of
2.5, during which nothing is served.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil

from infadapter_scheduler import Model, Point, with_points
from infadapter_server.executors.held import WARM_UPS
from infadapter_server.executors.messages import ModelLoaded
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.layout import Found
from infadapter_server.serving.measurements import Measured, Measurements

__all__ = ["Costs"]

GUESSED_S = 1.0
"""
Assumed time of one image before a model is measured; then few requests are promised anything, and
the load measures it.
"""

GUESSED_LOAD_S, GUESSED_LOAD_S_PER_BYTE = 0.5, 20e-9
GUESSED_WARM_UP_S, GUESSED_WARM_UP_S_PER_BYTE = 0.02, 1e-9
"""Assumed time of a first load, on the long side, because other requests have to wait for it."""

DISTURBED = 0.5
"""A measurement was disturbed if the next one takes less than this share of it."""


class Costs:
    """The costs of all models. `page_bytes` is the unit of the scheduler's memory."""

    def __init__(self, measurements: Measurements, page_bytes: int) -> None:
        self._measurements, self._page_bytes = measurements, page_bytes
        self._begun: dict[str, tuple[str, Measured]] = {}

    def bytes_of(self, found: Found) -> int:
        """Return the model's memory; before its first load the size of its file."""
        known = self._known(found)
        return found.file_bytes if known is None else known.weights_bytes

    def pages(self, found: Found) -> int:
        return ceil(self.bytes_of(found) / self._page_bytes)

    def model(self, found: Found) -> Model:
        """Return the model for the scheduler."""
        name, config, known = found.stored.name, found.config, self._known(found)
        pages = self.pages(found)
        if known is not None and known.points:
            return with_points(name, known.points, load_s=known.load_s, pages=pages)
        if known is not None:
            return Model(name, known.execution_s, known.load_s, pages)
        if config.load_s is not None:
            sizes = {size: config.execution_s[size] for size in config.batch_sizes}
            return Model(name, sizes, config.load_s, pages)
        guess = {size: size * GUESSED_S for size in config.batch_sizes}
        return Model(name, guess, _guessed_load_s(found), pages)

    def missing(self, found: Found) -> bool:
        """
        Whether the model must be loaded to measure it. A configured profile and a file of known
        size replace that, but the accuracies of operating points come from the network.
        """
        config = found.config
        profiled = config.load_s is not None and found.stored.file is not None
        profiled = profiled and not config.points_s
        return not profiled and self._measurements.of(found.stored.name, found.stamp) is None

    def to_load(self, found: Found) -> Stored:
        """Return what an executor should load now, with the batch sizes to warm up."""
        if self._known(found) is None:
            return found.stored
        return replace(found.stored, batch_sizes=found.stored.batch_sizes[:1])

    def expected_load_s(self, found: Found, sizes: Iterable[int]) -> float:
        """
        Return the expected time of a load that warms up these sizes, s; a guess covers all sizes.
        """
        model = self.model(found)
        if self._known(found) is None and found.config.load_s is None:
            return model.load_s
        timed = [point.execution_s for point in model.points] or [model.execution_s]
        spent_s = (seconds.get(size, 0.0) for seconds in timed for size in sizes)
        return model.load_s + WARM_UPS * sum(spent_s)

    def learn(self, found: Found, report: ModelLoaded) -> None:
        """
        Learn from the first two loads; later ones update the scheduler's own estimates.

        A disturbed estimate that is far too long would never be tried again, so a later load
        corrects it. The first load imports torch; until the second, a profile's load time applies.
        """
        name, load_s = report.model, report.end_s - report.begin_s
        known, begun = self._known(found), self._begun.pop(name, None)
        if known is None and set(report.execution_s) >= set(found.stored.batch_sizes):
            measured, profiled_s = _measured(found, report), found.config.load_s
            if profiled_s is not None:
                measured = replace(measured, load_s=profiled_s)
            self._begun[name] = found.stamp, measured
        elif known is not None:
            corrected = _corrected(known, report)
            if begun is not None or corrected != known:
                load_s = known.load_s if begun is None else load_s
                corrected = replace(corrected, load_s=load_s)
                self._measurements.remember(name, found.stamp, corrected)

    def recall(self, found: Found, report: ModelLoaded) -> None:
        """
        Take over what an executor measured earlier: both loads, if it warmed up every batch size.
        """
        known = self._known(found) is not None
        if not known and set(report.execution_s) >= set(found.stored.batch_sizes):
            measured = _measured(found, report)
            self._measurements.remember(report.model, found.stamp, measured)

    def _known(self, found: Found) -> Measured | None:
        stamp, begun = self._begun.get(found.stored.name, ("", None))
        if begun is not None and stamp == found.stamp:
            return begun
        return self._measurements.of(found.stored.name, found.stamp)


def _measured(found: Found, report: ModelLoaded) -> Measured:
    return Measured(
        weights_bytes=max(report.weights_bytes, _least_bytes(found)),
        load_s=report.end_s - report.begin_s,
        execution_s=dict(report.execution_s),
        points=report.points,
    )


def _corrected(known: Measured, report: ModelLoaded) -> Measured:
    """Correct the measurements by a later load, those of the points included."""
    seen_s = {point.name: point.execution_s for point in report.points}
    return replace(
        known,
        execution_s={**known.execution_s, **_faster(known.execution_s, report.execution_s)},
        points=tuple(_quicker(point, seen_s.get(point.name, {})) for point in known.points),
    )


def _quicker(point: Point, seen_s: Mapping[int, float]) -> Point:
    faster = _faster(point.execution_s, seen_s)
    return replace(point, execution_s={**point.execution_s, **faster})


def _least_bytes(found: Found) -> int:
    """
    Return a lower bound from the file. A program's constants are part of the file but not weights;
    a compressed file says less.
    """
    return 0 if found.stored.format is Format.VARIANT else found.file_bytes


def _guessed_load_s(found: Found) -> float:
    size, images = found.file_bytes, WARM_UPS * sum(found.config.batch_sizes)
    image_s = GUESSED_WARM_UP_S + GUESSED_WARM_UP_S_PER_BYTE * size
    return GUESSED_LOAD_S + GUESSED_LOAD_S_PER_BYTE * size + images * image_s


def _faster(known_s: Mapping[int, float], seen_s: Mapping[int, float]) -> dict[int, float]:
    """Return the sizes that are far faster now; small differences are chance."""
    return {n: s for n, s in seen_s.items() if n in known_s and s < DISTURBED * known_s[n]}
