"""
Five SubNets of OFA-ResNet on eight GPUs, calibrated to the orderings that SuperServe prints.

Latency tables are not published as numbers. Capacities are chosen such that the paper's statements
on which fixed SubNet keeps up with which rate hold. A batch of b takes as long as b + 2 requests.
"""

from infadapter_scheduler import Model, Point, with_points

GPUS = 8
CAPACITY_RPS = {73.82: 9000, 76.69: 7500, 78.25: 5500, 79.44: 4000, 80.16: 2500}
"""Capacity of all GPUs together in batches of 16, by top-1 accuracy."""

LARGEST = 16
OVERHEAD = 2
SLO_S = 0.036


def subnet(accuracy: float) -> Point:
    each_s = GPUS * LARGEST / (LARGEST + OVERHEAD) / CAPACITY_RPS[accuracy]
    seconds = {b: each_s * (b + OVERHEAD) for b in range(1, LARGEST + 1)}
    return Point(f"{accuracy:.2f}", accuracy, seconds)


def supernet() -> Model:
    return with_points("supernet", [subnet(accuracy) for accuracy in CAPACITY_RPS])


def alone(accuracy: float) -> Model:
    """Return one SubNet as a separate network."""
    return with_points("supernet", [subnet(accuracy)])


def fraction(rate_rps: float) -> float:
    """
    Return the rate as a fraction of the smallest SubNet's capacity, comparable between machines.
    """
    return rate_rps / max(CAPACITY_RPS.values())
