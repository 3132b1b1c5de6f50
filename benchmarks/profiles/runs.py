"""One run of the profiler, of load at a rate, and of a profiler that is disturbed."""

import asyncio
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from infadapter_local.router import free_ports
from infadapter_profiles.files import find_profile
from infadapter_profiles.profile import KnownCapacity
from infadapter_server.loadgen.bodies import glyph_bodies, random_bodies
from infadapter_server.loadgen.client import make_timely, run
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.profiling.profiler import HttpLoad
from infadapter_server.profiling.start import started_server
from infadapter_workload.outcomes import Outcome, Summary, summarise

MODEL = "glyphs"
IDEAL = Path(__file__).parents[2] / "tests" / "model_variants" / "answering_server.py"
START_LIMIT_S = 120.0
_SHARES, _WEIGHT = 2**18, 10_000  # the most that control groups of version 1 and 2 take
QUIET = subprocess.DEVNULL
_DISTURBANCE_RPS = 200


@dataclass(frozen=True, slots=True)
class Case:
    """What is profiled, and on what."""

    variant: str
    slos_ms: tuple[int, ...]
    seconds: float
    millicores: int
    group: Path | None  # a control group for the server
    force: bool
    ideal_ms: float | None = None  # a server that sleeps so long, in place of the network

    def start(self, port: int) -> str:
        if self.ideal_ms is not None:
            return f"{sys.executable} {IDEAL} --port {port} --service-ms {self.ideal_ms}"
        server = f"infadapter-server --variant {self.variant} --model {MODEL} --port {port}"
        server += " --host 127.0.0.1 --drain-seconds 0"
        if self.group is None:
            return server
        group = shlex.quote(str(self.group))
        # Within its quota it comes before whatever else this machine does.
        first = f"(echo {_SHARES} > {group}/cpu.shares || echo {_WEIGHT} > {group}/cpu.weight)"
        return f"sh -c {shlex.quote(f'{first}; echo $$ > {group}/cgroup.procs && exec {server}')}"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run wrote, or why it wrote nothing."""

    capacities: tuple[KnownCapacity, ...] = ()
    failure: str | None = None


def profiled(case: Case, folder: Path, number: int, *, force: bool | None = None) -> Run:
    (port,) = free_ports(1)
    output = folder / f"{number}.yaml"
    command = [sys.executable, "-m", "infadapter", "profile", _url(port)]
    command += ["--name", case.variant, "--cpu", f"{case.millicores}m", "--seed", str(number)]
    command += ["--seconds", str(case.seconds), "--start", case.start(port), "-o", str(output)]
    command += [word for slo_ms in case.slos_ms for word in ("--slo-ms", str(slo_ms))]
    command += ["--force"] if (case.force if force is None else force) else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    document = find_profile(output, case.variant, None)
    if done.returncode or document is None:
        return Run(failure=f"status {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    return Run(document.profile.allocations[0].capacity)


@dataclass(frozen=True, slots=True)
class Held:
    """What became of Poisson load at a rate."""

    summary: Summary

    @property
    def missed(self) -> int:
        return self.summary.late + self.summary.refused + self.summary.failed

    @property
    def missed_ratio(self) -> float:
        return self.missed / max(self.summary.arrived, 1)

    def __str__(self) -> str:
        summary = self.summary
        return (
            f"{self.missed} of {summary.arrived} missed ({self.missed_ratio:.3%}: "
            f"{summary.refused} refused, {summary.late} late), "
            f"p99 of the answers {summary.p99_ms or 0:.1f} ms"
        )


def held(case: Case, known: KnownCapacity, rate_rps: float, seconds: float) -> Held:
    outcomes = run(_held(case, known, rate_rps, seconds))
    return Held(summarise(outcomes, slo_s=known.latency_s, duration_s=seconds))


async def _held(case: Case, known: KnownCapacity, rate_rps: float, seconds: float) -> list[Outcome]:
    make_timely()
    (port,) = free_ports(1)
    endpoint = Endpoint(host="127.0.0.1", port=port, path=f"/v2/models/{MODEL}/infer")
    async with started_server(case.start(port), endpoint, timeout_s=START_LIMIT_S):
        load = HttpLoad(endpoint=endpoint, bodies=_bodies(case.variant))
        backlog = round(rate_rps * seconds) + 1
        outcomes = await load.poisson(
            rate_rps, seconds, seed=99, max_backlog=backlog, slo_s=known.latency_s
        )
        return list(outcomes)


def beside_others(case: Case, folder: Path) -> str:
    """What the profiler says when another generator loads the server that it measures."""
    (port,) = free_ports(1)
    with subprocess.Popen(shlex.split(case.start(port)), stdout=QUIET, stderr=QUIET) as server:
        try:
            asyncio.run(_until_ready(port))
            return _profile_beside(case, port, folder / "disturbed.yaml")
        finally:
            server.terminate()


def _profile_beside(case: Case, port: int, output: Path) -> str:
    load = [sys.executable, "-m", "infadapter_server.loadgen", "--url", _url(port)]
    load += ["--rps", str(_DISTURBANCE_RPS), "--duration", "600"]
    command = [sys.executable, "-m", "infadapter", "profile", _url(port), "--name", case.variant]
    command += ["--cpu", f"{case.millicores}m", "--seconds", "10", "-o", str(output)]
    command += [word for slo_ms in case.slos_ms for word in ("--slo-ms", str(slo_ms))]
    with subprocess.Popen(load, stdout=QUIET, stderr=QUIET) as other:
        time.sleep(2)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            other.kill()
    written = "a profile" if output.exists() else "no profile"
    return f"status {done.returncode}, {written}; {done.stderr.strip().splitlines()[-1]}"


async def _until_ready(port: int) -> None:
    from infadapter_server.profiling.target import is_ready

    endpoint = Endpoint(host="127.0.0.1", port=port, path="/")
    async with asyncio.timeout(START_LIMIT_S):
        while not await is_ready(endpoint):  # noqa: ASYNC110  # another process makes it true
            await asyncio.sleep(0.05)


def _bodies(variant: str) -> list[bytes]:
    shape = (1, *SIGNATURES[variant].input_shape)
    return glyph_bodies(seed=1) if variant.startswith("glyph") else random_bodies(shape, seed=1)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v2/models/{MODEL}/infer"
