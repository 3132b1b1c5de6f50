"""A tiny server in place of the model server: the same readiness and drain, without torch."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from infadapter_local.cgroups import cpu_limits
from infadapter_local.processes import Processes
from infadapter_local.run import Run, Tick
from infadapter_local.workload import LEAD_IN_S, Workload
from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import CapacityCalibration, State
from infadapter_operator.planning.plan import Planned
from infadapter_operator.planning.presence import Present
from infadapter_operator.reconcile import Cycle
from infadapter_solver.problem import (
    Allocation,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Target,
    Variant,
)
from infadapter_workload.outcomes import Outcome
from tests.patience import PATIENCE_S

TINY_SERVER = """
import os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

draining = False

def wait_until_let():
    while os.path.exists(sys.argv[0] + ".held"):
        time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.send_header("infadapter-variant", sys.argv[1])
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(503 if draining else 200)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(200, sys.argv[1].encode())

    def log_message(self, *arguments):
        pass

def drain():
    time.sleep(0.5)
    wait_until_let()
    os._exit(0)

def stop(*_):
    global draining
    draining = True
    threading.Thread(target=drain).start()

wait_until_let()
signal.signal(signal.SIGTERM, stop)
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
server.serve_forever()
"""


@pytest.fixture
def tiny_server(tmp_path: Path) -> Callable[[Target, PodSize, int], list[str]]:
    script = tmp_path / "tiny_server.py"
    script.write_text(TINY_SERVER)
    return lambda target, size, port: [sys.executable, "-S", str(script), target.variant, str(port)]


@pytest.fixture(autouse=True)
def starts_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("router", "fork_client", "measure"):
        monkeypatch.setattr(f"infadapter_local.{module}._START_LIMIT_S", PATIENCE_S)


@pytest.fixture
def held(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """A context in which no tiny server becomes ready and none finishes draining."""
    file = tmp_path / "tiny_server.py.held"

    @contextmanager
    def holding() -> Iterator[None]:
        file.touch()
        try:
            yield
        finally:
            file.unlink()

    return holding


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    async with Processes(cpu_limits(), tmp_path / "logs") as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Like `short_session`, with the timeout of tests."""
    patient = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=patient) as open_session:
        yield open_session


SMALL = Allocation(size=PodSize(resources={"cpu": 500}), capacity_rps=50.0)


@pytest.fixture
def service() -> Service:
    return Service(
        namespace="demo",
        name="glyphs",
        slo_s=0.2,
        percentile=99.0,
        variants=(
            Variant(name="glyph-1", accuracy=0.7, load_time_s=0.5, allocations=(SMALL,)),
            Variant(name="glyph-2", accuracy=0.8, load_time_s=0.5, allocations=(SMALL,)),
        ),
        max_surge={"cpu": 500},
        interval_s=2.0,
        horizon_s=2.0,
        stabilization_s=4.0,
        objective=Objective(budget={"cpu": 1000}, loading_weight=0.001),
    )


@pytest.fixture
def played(service: Service) -> Run:
    """A run of ten seconds after the lead-in: five with glyph-1, then five with both variants."""
    rates = np.full(10, 20.0)
    arrivals = np.arange(0.0, LEAD_IN_S + 10.0, 0.05)
    load = Workload(arrivals_s=arrivals, rates_rps=rates, step_s=1.0)
    run = Run(title="infadapter", service=service, workload=load)
    for at_s in np.arange(0.5, LEAD_IN_S + 10.0, 0.5):
        run.ticks.append(tick(service, float(at_s)))
    for at_s in arrivals:
        late = 0.3 if at_s > LEAD_IN_S + 9.0 else 0.05
        variant = "glyph-1" if at_s < LEAD_IN_S + 5.0 else "glyph-2"
        run.outcomes.append(
            Outcome(
                scheduled_s=float(at_s),
                sent_s=float(at_s) + 0.001,
                done_s=float(at_s) + late,
                code=200,
                variant=variant,
            )
        )
    return run


def tick(service: Service, at_s: float) -> Tick:
    both = at_s >= LEAD_IN_S + 5.0
    targets = [Target("glyph-1"), Target("glyph-2")][: 1 + both]
    groups = tuple(PodGroup(target=target, allocation=SMALL, pods=1) for target in targets)
    plan = Plan(
        groups=groups,
        served_rps={},
        accuracy=0.75,
        cost=0.5,
        cost_ratio=0.5,
        loading_s=0.0,
        objective=0.7,
        feasible=True,
    )
    pods = tuple(
        Pod(
            name=f"{target.variant}-1",
            target=target,
            size=PodSize(resources=SMALL.resources),
            wanted=PodSize(resources=SMALL.resources),
            ready=True,
            created_at_s=0.0,
        )
        for target in targets
    )
    decision = Decision(
        plan=plan, decided_at_s=at_s, demand_rps=22.0, forecast_rps=21.0, why=("20 rps are seen.",)
    )
    observed = Observed(pods=pods, weights={pod.name: 1 for pod in pods})
    planned = Planned(
        service=service,
        present=Present(everything=observed, counted=observed, absent={}),
        calibration=CapacityCalibration(),
        blocks={},
        decision=decision,
        is_solved=False,
        load_rps=20.0,
    )
    cycle = Cycle(
        service=service,
        now_s=at_s,
        state=State(decision=decision),
        planned=planned,
        plan_changed=at_s in (0.5, LEAD_IN_S + 5.0),
    )
    return Tick(at_s=at_s, cycle=cycle, millicores={t.variant: 500 for t in targets})
