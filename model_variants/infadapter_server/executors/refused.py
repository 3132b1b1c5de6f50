"""The report of an order that is not even begun: never silence, always a sentence."""

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
    """None where nobody waits for a report."""
    now_s = time.monotonic()
    match order:
        case Infer():
            return Inferred(order.run, outcome, now_s, now_s, error=error)
        case LoadModel():
            return ModelLoaded(order.stored.name, outcome, now_s, now_s, error=error)
        case _:
            return None
