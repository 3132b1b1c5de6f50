"""Open-loop requests from a process of its own, and their outcomes."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.child import replay_in_child
from infadapter_server.loadgen.records import Start
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.outcomes import Outcome
from infadapter_workload.trace import Array
from tests.e2e.kube import wait_for

TIMEOUT_S = 10.0
SLO_MS = 400
BODIES = glyph_bodies(16, seed=1)


class Load:
    """One run of the load generator. Times are those of `time.time()`."""

    def __init__(self, url: str, arrivals_s: Array) -> None:
        self.arrivals_s = arrivals_s
        self.outcomes: list[Outcome] = []
        self.start_s = 0.0
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_for("the load generator sends", lambda: self.start_s or self._failure, 30)
        self._raise()

    def wait(self) -> list[Outcome]:
        """Wait until the last request is answered or given up, and return all outcomes."""
        self._thread.join()
        self._raise()
        return self.outcomes

    def stop(self) -> list[Outcome]:
        """Stop sending, and return the outcomes known. Requests in flight do not count."""
        if self._thread.is_alive() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        self._raise()
        return self.outcomes

    def since(self, at_s: float) -> list[Outcome]:
        """Return the outcomes known by now of requests due since `at_s`."""
        return [o for o in list(self.outcomes) if self.start_s + o.scheduled_s >= at_s]

    def rate_rps(self, at_s: float, over_s: float = 1.0) -> float:
        """Return the rate of requests due in the `over_s` seconds before `at_s`."""
        last = at_s - self.start_s
        due = np.searchsorted(self.arrivals_s, [last - over_s, last])
        return float(due[1] - due[0]) / over_s

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._replay())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - raised in the test's thread
            self._failure = error
        finally:
            self._loop.close()

    async def _replay(self) -> None:
        await replay_in_child(
            url=self._url,
            bodies=BODIES,
            arrivals_s=self.arrivals_s,
            timeout_s=TIMEOUT_S,
            on_outcome=self.outcomes.append,
            on_start=self._started,
        )

    def _started(self, start: Start) -> None:
        self.start_s = start.start_unix_s

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure


def even(rps: float, seconds: float) -> Array:
    """Return evenly spaced arrivals, which cause no new plan by chance."""
    return np.arange(int(rps * seconds)) / rps


def steady(url: str, rps: float, seed: int = 0) -> AbstractContextManager[Load]:
    """Send Poisson arrivals until the block ends."""
    return going_on(url, constant_rate(rps, 3600, seed=seed))


@contextmanager
def going_on(url: str, arrivals_s: Array) -> Iterator[Load]:
    """Send requests at these times until the block ends."""
    load = Load(url, arrivals_s)
    try:
        yield load
    finally:
        load.stop()


def in_time(outcome: Outcome) -> bool:
    return outcome.in_time(SLO_MS / 1000)


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return requests neither answered nor refused: none may be lost in this way."""
    return [o for o in outcomes if not o.answered and not o.refused]


def share(outcomes: Sequence[Outcome], is_good: Callable[[Outcome], bool]) -> float:
    """Return the share of good outcomes, 1 if there are no outcomes."""
    return sum(map(is_good, outcomes)) / len(outcomes) if outcomes else 1.0


def shares_by_variant(outcomes: Sequence[Outcome]) -> dict[str, float]:
    answered = [o.variant for o in outcomes if o.answered and o.variant]
    return {name: answered.count(name) / len(answered) for name in set(answered)}
