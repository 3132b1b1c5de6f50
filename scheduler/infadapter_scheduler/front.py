"""
The server's front end on the core of its executor, for simulations.

It has priority, so an execution takes longer by the time in which requests are refused and
answered. How much is known at its end.
"""

from dataclasses import replace
from heapq import heapify

from infadapter_scheduler.events import Event, Finished
from infadapter_scheduler.world import Machine

Told = tuple[float, int, Event]


def take(machine: Machine, seconds: float, now_s: float) -> None:
    """Charge the time to the running execution, or delay the next one."""
    if now_s < machine.free_s + machine.owed_s:
        machine.owed_s += seconds
    else:
        machine.front_free_s = max(now_s, machine.front_free_s) + seconds


def delay_running(told: list[Told], machine: Machine) -> list[Finished]:
    """
    Delay the end of the running execution by the accumulated time, and everything sent behind it;
    return the delayed events.
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
