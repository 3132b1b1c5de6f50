import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from infadapter_profiles.sizes import PodSize
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling import profiler
from infadapter_server.profiling import start as start_module
from infadapter_server.profiling.bench import Watched
from infadapter_server.profiling.disturbance import Watch
from infadapter_server.profiling.percentiles import FRACTIONS
from infadapter_server.profiling.profiler import HttpLoad, ProfileError, measure, measure_saturation
from infadapter_server.profiling.start import started_server
from infadapter_server.profiling.target import ServerFacts, ask_facts, try_once
from infadapter_workload.arrivals import given_count
from infadapter_workload.outcomes import STOPPED, Outcome
from tests.patience import PATIENCE_S

SERVER = Path(__file__).with_name("answering_server.py")
ONE_CORE = PodSize(resources={"cpu": 1000})


class FakeQueue:
    """A server in virtual time: one worker, a fixed service time, what is refused, what fails."""

    def __init__(
        self, service_s: float = 0.01, *, optimism: float = 1, refused: float = 0, code: int = 200
    ) -> None:
        self.service_s = service_s
        self.optimism = optimism  # of the flood, against what it really serves
        self.refused = refused
        self.code = code
        self.rates: list[float] = []

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        step_s = self.service_s / self.optimism
        return [self.outcome(0, n * step_s) for n in range(1, int(seconds / step_s) + 1)]

    async def settle(self) -> None:
        pass

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        self.rates.append(rate_rps)
        outcomes: list[Outcome] = []
        free_s = 0.0
        for number, due_s in enumerate(given_count(round(rate_rps * seconds), seconds, seed=seed)):
            if number % 100 < 100 * self.refused:
                outcomes.append(Outcome(scheduled_s=due_s, sent_s=due_s, done_s=due_s, code=503))
                continue
            free_s = max(free_s, due_s) + self.service_s
            outcomes.append(self.outcome(due_s, free_s))
            if free_s - due_s > max_backlog * self.service_s:
                return [self.stopped(o, due_s) if o.done_s > due_s else o for o in outcomes]
        return outcomes

    def outcome(self, due_s: float, done_s: float) -> Outcome:
        return Outcome(scheduled_s=due_s, sent_s=due_s, done_s=done_s, code=self.code)

    def stopped(self, outcome: Outcome, now_s: float) -> Outcome:
        due_s = outcome.scheduled_s
        return Outcome(scheduled_s=due_s, sent_s=due_s, done_s=now_s, code=0, error=STOPPED)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    command = [sys.executable, str(SERVER), "--service-ms", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield at(int(server.stdout.readline()))
        server.terminate()


def at(port: int, model: str = "glyphs", word: str = "infer") -> Endpoint:
    return Endpoint(host="127.0.0.1", port=port, path=f"/v2/models/{model}/{word}")


async def test_the_curve_of_a_queue_rises_to_its_saturation() -> None:
    queue = FakeQueue()
    phases: list[tuple[str, float]] = []
    measured = await measure(
        queue, seconds=120, size=ONE_CORE, on_phase=lambda *phase: phases.append(phase)
    )
    assert measured.saturation_rps == pytest.approx(100, rel=0.02)
    assert [point.rps for point in measured.points] == pytest.approx(
        [fraction * 100 for fraction in FRACTIONS], rel=0.03
    )
    p99s = [point.latency_s[99] for point in measured.points]
    assert p99s[0] < 0.025
    assert p99s[0] < p99s[3] < p99s[-1]
    assert sum(seconds for _, seconds in phases) <= 120


async def test_a_rate_that_the_server_does_not_keep_up_with_ends_the_search() -> None:
    queue = FakeQueue(optimism=1.6)  # so that 0.7 of what the flood says is 1.12 of the truth
    measured = await measure(queue, seconds=120, size=ONE_CORE)
    assert queue.rates == pytest.approx([16, 48, 80, 112], rel=0.02)
    assert [point.rps for point in measured.points] == pytest.approx([16, 48, 80], rel=0.02)


async def test_a_server_that_keeps_up_with_no_rate_is_not_profiled() -> None:
    with pytest.raises(ProfileError, match="keeps up with"):
        await measure(FakeQueue(optimism=20), seconds=60, size=ONE_CORE)


async def test_a_server_that_refuses_ends_the_search_with_the_ratio_noted() -> None:
    queue = FakeQueue(refused=0.2)
    measured = await measure(queue, seconds=120, size=ONE_CORE)
    (point,) = measured.points
    assert point.refused_ratio == pytest.approx(0.2, abs=0.05)


async def test_a_server_that_fails_is_not_profiled() -> None:
    with pytest.raises(ProfileError, match="failed: HTTP 500"):
        await measure(FakeQueue(code=500), seconds=10, size=ONE_CORE)


async def test_a_server_too_slow_for_the_time_is_not_profiled() -> None:
    with pytest.raises(ProfileError, match="take longer"):
        await measure(FakeQueue(service_s=5), seconds=10, size=ONE_CORE)


@pytest.mark.process
async def test_a_real_server_is_measured_within_the_time(endpoint: Endpoint) -> None:
    """In one of several, since the machine may stand still in any of them."""
    load, took_s = HttpLoad(endpoint=endpoint, bodies=[b"{}"]), list[float]()
    while not took_s or took_s[-1] >= 4:
        assert len(took_s) < 10, took_s
        began_s = time.monotonic()
        measured = await measure(load, seconds=1.5, size=ONE_CORE)
        took_s.append(time.monotonic() - began_s)
    assert 20 < (measured.saturation_rps or 0) < 500
    assert measured.points
    assert all(point.latency_s[50] >= 0.002 for point in measured.points)


async def test_requests_say_the_slo_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with deadlines then decides as it will behind a router."""
    said: list[object] = []

    async def replay(**arguments: object) -> list[Outcome]:
        said.append(arguments["headers"])
        return []

    monkeypatch.setattr(profiler, "replay", replay)
    load = HttpLoad(endpoint=at(1), bodies=[b"{}"])
    await load.poisson(10, 1, seed=0, max_backlog=9)
    await load.poisson(10, 1, seed=0, max_backlog=9, slo_s=0.0125)
    assert said == [{}, {"infadapter-deadline-ms": "12.5"}]


@pytest.mark.process
async def test_a_load_that_was_given_up_is_waited_for(endpoint: Endpoint) -> None:
    """Or the next look would find the server still busy with it: the best of several looks."""
    watch = Watch(arrivals=lambda: None, server=None, generator=os.getpid(), cores=1)
    load = HttpLoad(endpoint=endpoint, bodies=[b"{}"])
    took_s: list[float] = []
    for _ in range(3):
        outcomes = await Watched(load, watch).poisson(5_000, 0.1, seed=0, max_backlog=100)
        assert any(outcome.error == STOPPED for outcome in outcomes)
        began_s = time.monotonic()
        if any(outcome.answered for outcome in await load.flood(0.05)):
            took_s.append(time.monotonic() - began_s)
    assert min(took_s) < 0.5


async def test_other_requests_and_other_programs_are_counted_around_a_load(
    endpoint: Endpoint,
) -> None:
    counts = iter([0, 10, 10, 500])
    watch = Watch(arrivals=lambda: next(counts), server=None, generator=os.getpid(), cores=1)
    watched = Watched(HttpLoad(endpoint=endpoint, bodies=[b"{}"]), watch)
    await watched.poisson(100, 0.1, seed=0, max_backlog=100)
    assert watched.take_disturbances() == []
    await watched.poisson(100, 0.1, seed=0, max_backlog=100)
    (clause,) = watched.take_disturbances()
    assert "somebody else sent the server" in clause
    assert watched.take_disturbances() == []


async def test_what_cannot_be_reached_has_no_saturation() -> None:
    with pytest.raises(ProfileError, match="cannot connect: Connection refused"):
        await measure_saturation(HttpLoad(endpoint=at(1), bodies=[b"{}"]), seconds=0.2)


async def test_a_server_is_asked_for_what_it_knows(endpoint: Endpoint) -> None:
    assert await ask_facts(endpoint) == ServerFacts(
        server="tiny 1", load_s=1.25, accuracy=0.861, input_name="image", input_shape=(1, 1, 32, 32)
    )
    other = await ask_facts(at(endpoint.port, "other"))
    assert (other.accuracy, other.input_shape, other.trouble) == (None, None, "")
    missing = await ask_facts(at(endpoint.port, "missing"))
    assert missing.trouble == "of its model it says HTTP 404: {}"


async def test_a_wrong_request_is_explained_in_the_servers_words(endpoint: Endpoint) -> None:
    (body,) = glyph_bodies(1, seed=0)
    await try_once(endpoint, body)
    with pytest.raises(ProfileError, match="HTTP 400: no, thank you"):
        await try_once(at(endpoint.port, word="wrong"), body)
    with pytest.raises(ProfileError, match=r"No server answers at 127\.0\.0\.1:1"):
        await try_once(at(1), body)


async def test_a_server_that_runs_already_is_not_started_again(endpoint: Endpoint) -> None:
    with pytest.raises(ProfileError, match=r"ready at .* already"):
        async with started_server("true", endpoint, timeout_s=1):
            pass


@pytest.mark.parametrize(
    ("command", "timeout_s", "sentence"),
    [
        ("/absent/server", PATIENCE_S, "/absent/server cannot be started: No such file"),
        ("sh -c 'echo out of memory >&2; exit 3'", PATIENCE_S, "with status 3: out of memory"),
        ("sleep 600", 0.3, "not ready in time"),
        ("", PATIENCE_S, "empty"),
        ("sh -c 'oops", PATIENCE_S, "quotation"),
    ],
)
async def test_a_server_that_does_not_come_up_is_explained(
    command: str, timeout_s: float, sentence: str
) -> None:
    with pytest.raises(ProfileError, match=sentence):
        async with started_server(command, at(1), timeout_s=timeout_s):
            pass


async def test_a_second_interrupt_kills_a_server_that_does_not_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "GRACE_S", 2 * PATIENCE_S)
    noted = tmp_path / "pid"
    command = f"sh -c 'trap \"\" TERM; echo $$ > {noted}.part; mv {noted}.part {noted}; sleep 600'"

    async def start() -> None:
        async with started_server(command, at(1), timeout_s=PATIENCE_S):
            pass

    starting = asyncio.create_task(start())
    async with asyncio.timeout(PATIENCE_S):  # less than the grace period
        while not noted.exists():  # noqa: ASYNC110  # another process makes it true
            await asyncio.sleep(0.01)
        starting.cancel()
        await asyncio.sleep(0.2)
        assert not starting.done()
        assert capsys.readouterr().err == "Stopping the server …\n"
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)
