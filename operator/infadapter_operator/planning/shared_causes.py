"""Failures whose cause is shared by several targets or services: a registry, a quota."""

from collections.abc import Iterable
from itertools import pairwise

from infadapter_operator.domain.observed import Cause, Observed
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service

SHARED_WITHIN_S = 60.0
"""
Two variants that fail for one cause within this time (s), plus the patience with the second, share
it.
"""

SHAREABLE = (Cause.IMAGE, Cause.CONFIG, Cause.REFUSED)


def shared(blocks: Iterable[Block], service: Service, observed: Observed) -> tuple[Block, ...]:
    """
    Return the blocks whose cause is shared.

    Other targets or services were blocked for the same cause at about the same time, and no pod
    created since then has become Ready.
    """
    within_s = SHARED_WITHIN_S + service.patience.start_s
    found = sorted(
        (b for b in blocks if b.cause in SHAREABLE and not b.has_recovered),
        key=lambda block: (block.cause, block.since_s),
    )
    together = {block for block in found if block.cause in observed.shared_causes}
    for one, other in pairwise(found):
        if one.cause is other.cause and other.since_s - one.since_s <= within_s:
            together |= {one, other}
    from_s = min((block.created_s for block in together), default=0.0)
    if any(pod.ready and pod.created_at_s >= from_s for pod in observed.pods):
        return ()
    return tuple(block for block in found if block in together)
