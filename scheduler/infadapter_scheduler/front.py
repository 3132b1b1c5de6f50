"""
The front of a server on the core of its executor: it comes first, so an execution takes as much
longer as requests were refused and answered meanwhile. How much that is, is known at its end.
"""

from dataclasses import replace
from heapq import heapify

from infadapter_scheduler.events import Event, Finished
from infadapter_scheduler.world import Machine

Told = tuple[float, int, Event]


def take(machine: Machine, seconds: float, now_s: float) -> None:
    """From the execution that is under way, or from the next one, which begins later."""
    if now_s < machine.free_s + machine.owed_s:
        machine.owed_s += seconds
    else:
        machine.front_free_s = max(now_s, machine.front_free_s) + seconds


def hold_up(told: list[Told], machine: Machine) -> list[Finished]:
    """
    The execution that would end next ends as much later as is owed, and all that was sent behind
    it is as much later; these, as they are then.
    """
    owed_s, machine.owed_s = machine.owed_s, 0.0
    machine.free_s += owed_s
    found: list[Finished] = []
    for at, (told_s, order, event) in enumerate(told):
        if isinstance(event, Finished) and event.executor == machine.name:
            begun = at == 0  # it is the first of the heap
            start_s = event.start_s if begun else event.start_s + owed_s
            found.append(replace(event, start_s=start_s, end_s=event.end_s + owed_s))
            told[at] = told_s + owed_s, order, found[-1]
    heapify(told)
    return found
