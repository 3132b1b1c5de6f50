"""A server before it is measured: its facts, the parameters, and the requests to send."""

from dataclasses import dataclass, replace

from infadapter_profiles.profile import OperatingPoint, Profile
from infadapter_server.profiling.about import about, accuracy_of, bodies_of
from infadapter_server.profiling.allowed import Allowed, ask_points
from infadapter_server.profiling.batches import check_known
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.points import check_told, wanted
from infadapter_server.profiling.target import ServerFacts, ask_batches, ask_facts, try_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The facts of a server before it is measured; `allowed` is None without operating points."""

    order: Order
    facts: ServerFacts
    profile: Profile
    bodies: list[bytes]
    allowed: Allowed | None
    points: tuple[OperatingPoint, ...]


async def ask_server(
    order: Order,
    before: Profile | None,
    started_s: tuple[float | None, float | None],
    journal: Journal,
) -> Server:
    """Query the server. Raises ProfileError if it cannot be measured with these parameters."""
    facts = await ask_facts(order.endpoint)
    check_known(order.batch_size, await ask_batches(order.endpoint), facts.batch_limit)
    allowed = await ask_points(order.endpoint)
    points = wanted(order.points, allowed.points if allowed else (), before)
    check_told(allowed is not None, facts.lists_points, order.accuracy)
    journal.rests_on({"server": _what(facts, allowed)})
    if allowed is None:
        order = replace(order, accuracy=await accuracy_of(order, facts, journal))
    profile = about(order, facts, started_s, before, points)
    bodies = bodies_of(order, facts)
    await try_once(order.endpoint, bodies[0])
    return Server(
        order=order, facts=facts, profile=profile, bodies=bodies, allowed=allowed, points=points
    )


def _what(facts: ServerFacts, allowed: Allowed | None) -> list[str]:
    """Return what distinguishes two servers, or two models of one server."""
    said = (facts.server, facts.accuracy, facts.input_shape, facts.batch_limit)
    return [str(each) for each in (*said, *(allowed.points if allowed else ()))]
