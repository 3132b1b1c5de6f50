"""
The profile's facts besides its measurements: from the options, the server, and the existing file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from infadapter_profiles.profile import OperatingPoint, Profile
from infadapter_server.loadgen.bodies import glyph_bodies, random_bodies
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.labelled import measure_accuracy
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.target import ServerFacts, ask

GLYPHS = (1, 1, 32, 32)  # a request's shape in the demo's task


async def accuracy_of(
    order: Order, facts: ServerFacts, journal: Journal, point: str | None = None
) -> float | None:
    """
    Measure the accuracy on the labelled set, if one is given, with the server held to this point.
    """
    if order.labelled is None:
        return order.accuracy
    question = {"accuracy_at": point}
    share: float | None = journal.recall(question)
    if share is None:
        asking = partial(ask, order.endpoint)
        measured = await measure_accuracy(order.labelled, asking, facts.input_name or "image")
        share = measured.share
        journal.note(question, share)
    return share


def about(
    order: Order,
    facts: ServerFacts,
    started_s: tuple[float | None, float | None],
    before: Profile | None,
    points: Sequence[OperatingPoint] = (),
) -> Profile:
    """
    Return the profile's facts: from the options, else the server, else the file. Operating points
    have accuracies of their own.
    """
    cold_s, warm_s = started_s
    known = (before.accuracy, before.load_time_s) if before else (None, None)
    accuracy = max((point.accuracy for point in points), default=None)
    accuracy = _first(accuracy, order.accuracy, facts.accuracy, known[0])
    load_s = _first(order.load_s, cold_s, warm_s, facts.load_s, known[1])
    if accuracy is None:
        raise _unsaid(facts, "how accurate its model is", "--accuracy or --labelled")
    if load_s is None:
        raise _unsaid(facts, "how long it took to load", "--load-seconds or --start")
    return Profile(
        variant=order.name,
        accuracy=accuracy,
        load_time_s=load_s,
        warm_load_time_s=warm_s if cold_s is not None else None,
        allocations=before.allocations if before else (),
        operating_points=before.operating_points if before else (),
    )


def with_points(profile: Profile, measured: Iterable[OperatingPoint]) -> Profile:
    """Return the profile with these operating points beside its others, the most accurate first."""
    known = {point.name: point for point in (*profile.operating_points, *measured)}
    points = sorted(known.values(), key=lambda point: -point.accuracy)
    return replace(profile, accuracy=points[0].accuracy, operating_points=tuple(points))


def bodies_of(order: Order, facts: ServerFacts) -> list[bytes]:
    if order.body is not None:
        return [order.body]
    shape = facts.input_shape if order.shape is None else order.shape
    if shape is None:
        raise _unsaid(facts, "what it takes", "--shape or --body")
    if shape == GLYPHS:
        return glyph_bodies(seed=order.seed)
    return random_bodies(shape, seed=order.seed, name=facts.input_name or "image")


def _unsaid(facts: ServerFacts, what: str, option: str) -> ProfileError:
    trouble = f" ({facts.trouble})" if facts.trouble else ""
    return ProfileError(f"The server does not say {what}{trouble}; give {option}.")


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
