"""
Facts that a server's process shows only after it has worked: its batches and its memory.

They are lost with the process. So they are recorded after each curve, whose flood fills batches and
memory: an interrupted run continues with another process, which may have next to nothing to do.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.batches import batch_size
from infadapter_server.profiling.journal import Json
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.processes import family, listening_process, peak_bytes
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.rows import Rows
from infadapter_server.profiling.server import Server
from infadapter_server.profiling.target import ask_batches

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def listening(order: Order) -> int | None:
    """Return the server's process if it runs on this machine."""
    local = order.endpoint.host in _LOOPBACK
    return listening_process(order.endpoint.port) if local else None


async def look(order: Order) -> Json:
    """Return the facts of the server's current process."""
    ran, process = await ask_batches(order.endpoint), listening(order)
    return {
        "ran": {str(bound): count for bound, count in ran.items()},
        "memory_bytes": None if process is None else peak_bytes(family(process)),
    }


async def sized(
    server: Server, rows: Rows, measured: Sequence[ProfiledAllocation]
) -> tuple[ProfiledAllocation, ...]:
    """
    Return the rows with the facts known after the server has worked, in this run or before an
    interruption.
    """
    order, question = server.order, {"batch_size": server.order.batch_size}
    known = rows.journal.recall(question)
    if known is None:
        looks = [*rows.shown, await look(order)]
        try:
            found = batch_size(order.batch_size, _ran(looks), server.facts.batch_limit)
        except ProfileError:  # the same command may be given again of a server that is put right
            rows.journal.forget()
            raise
        memory_bytes = max(each["memory_bytes"] or 0 for each in looks) or None
        known = {"batch_size": found, "memory_bytes": memory_bytes}
        rows.journal.note(question, known)
    size = PodSize(resources=order.resources, batch_size=known["batch_size"])
    memory_bytes = known["memory_bytes"]
    return tuple(replace(row, size=size, memory_bytes=memory_bytes) for row in measured)


def _ran(looks: Sequence[Json]) -> Mapping[int, float]:
    """Merge the batch histograms of all processes: a bound that none of them exceeded stays one."""
    ran: Counter[int] = Counter()
    for each in looks:
        ran.update({int(bound): count for bound, count in each["ran"].items()})
    return ran
