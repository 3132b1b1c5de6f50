"""The report of an order that does not begin: always a sentence, never silence."""

import time

from infadapter_server.executors.messages import (
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Order,
    Outcome,
)


def refused(
    order: Order, error: str, outcome: Outcome = Outcome.FAILED
) -> Inferred | ModelLoaded | None:
    """Return the report, or None for an order without one."""
    now_s = time.monotonic()
    match order:
        case Infer():
            return Inferred(order.run, outcome, now_s, now_s, error=error)
        case LoadModel():
            return ModelLoaded(order.stored.name, outcome, now_s, now_s, error=error)
        case _:
            return None
