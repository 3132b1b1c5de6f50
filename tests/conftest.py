"""What all tests share."""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, and how long it takes to make, says how busy the machine is. As in
# tests/deep.py, which is not imported since the tests of this file copy it to elsewhere.
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("busy", BUSY, max_examples=50)
settings.register_profile("deep", BUSY, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))

# A shell that starts its jobs in the background has them ignore Ctrl-C, and children inherit that;
# those that are started here are interrupted by the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests import onnxruntime themselves, which else tells its makers of it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

YOUNG = 50_000
"""Objects until garbage is collected: at Python's 700, 2 to 5 % of the CPU time goes to that."""

THREADS = "OMP_NUM_THREADS"  # read once, when torch and BLAS are imported
GIVEN = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    """
    One thread in this process: with one per core, two workers wait for each other in loops that
    take the CPU from both. Who only hands out tests leaves the workers their environment.
    """
    if config.getoption("dist", "no") == "no":
        gc.disable()  # until all is collected: what is imported stays
        config.stash[GIVEN] = os.environ.get(THREADS)
        os.environ[THREADS] = "1"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """
    Each worker begins with another folder: what one has compiled the others read. With the same
    order all would compile each file at the same time.
    """
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker and collector.path == Path(__file__).parent:
        folders = report.result
        first = len(folders) * int(worker["workerid"][2:]) // worker["workercount"]
        report.result = folders[first:] + folders[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One order for all workers, who are told numbers of tests; alone, as they were asked for."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path)


def pytest_collection_finish(session: pytest.Session) -> None:
    """
    The modules under test are imported; what the tests start decides for itself again. What was
    imported and collected stays: to look through it at each garbage collection frees nothing.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()
    _give_the_solver_time()
    given = session.config.stash.get(GIVEN, None)
    if given is not None:
        os.environ[THREADS] = given
    elif GIVEN in session.config.stash:
        del os.environ[THREADS]


def _give_the_solver_time() -> None:
    """Where it is imported: whether its default suffices says how busy the machine is."""
    for module, function in (("solve", "solve"), ("milp", "solve_milp")):
        if imported := sys.modules.get(f"infadapter_solver.{module}"):
            from tests.patience import PATIENCE_S  # the tests of this file copy it to elsewhere

            getattr(imported, function).__kwdefaults__["time_limit_s"] = PATIENCE_S


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were skipped, a line a reason: what is not at hand was not tested."""
    reports = terminalreporter.stats.get("skipped", ())
    reasons = Counter(_reason(report) for report in reports)
    if reasons:
        terminalreporter.section("skipped", sep="-")
    for reason, tests in reasons.most_common():
        terminalreporter.write_line(f"{tests:>4}  {reason}")


def _reason(report: pytest.TestReport) -> str:
    """Without the place: many tests are skipped for one reason."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return said.removeprefix("Skipped: ")
