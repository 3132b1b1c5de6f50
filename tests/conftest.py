"""Settings and pytest hooks of all tests."""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No limits on time: how long it takes to draw and run an example depends on the machine's load. The
# ratio of examples is that of tests/deep.py, which can't be imported: tests copy this file alone.
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("busy", BUSY, max_examples=50)
settings.register_profile("deep", BUSY, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))

# Background jobs of a shell ignore SIGINT, and child processes inherit that. Tests send SIGINT to
# the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests import onnxruntime, which sends telemetry unless this is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

YOUNG = 50_000
"""Objects per garbage collection. At Python's 700, collecting takes 2 to 5 % of the CPU time."""

THREADS = "OMP_NUM_THREADS"  # read once, when torch and BLAS are imported
GIVEN = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    """
    Use one thread in this process: with one per core, two workers slow each other down in busy
    waiting. The controller of xdist changes nothing, since workers inherit its environment.
    """
    if config.getoption("dist", "no") == "no":
        gc.disable()  # until all tests are collected: imported modules stay
        config.stash[GIVEN] = os.environ.get(THREADS)
        os.environ[THREADS] = "1"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """
    Let each worker begin with another folder, so that it reads bytecode that others have compiled.
    In the same order all workers would compile each file at the same time.
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
    """Sort tests in workers, since xdist names tests by index. Without xdist the order stays."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path)


def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Restore the environment, as the modules under test are imported by now and processes that tests
    start choose their threads themselves. Freeze the objects that exist, since they stay: searching
    them at each garbage collection would free nothing.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()
    _raise_solver_time_limit()
    given = session.config.stash.get(GIVEN, None)
    if given is not None:
        os.environ[THREADS] = given
    elif GIVEN in session.config.stash:
        del os.environ[THREADS]


def _raise_solver_time_limit() -> None:
    """Raise its time limit if it is imported, lest results depend on how busy the machine is."""
    for module, function in (("solve", "solve"), ("milp", "solve_milp")):
        if imported := sys.modules.get(f"infadapter_solver.{module}"):
            from tests.patience import PATIENCE_S  # tests copy this file alone

            getattr(imported, function).__kwdefaults__["time_limit_s"] = PATIENCE_S


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the reasons for skipped tests: a skipped test has tested nothing."""
    reports = terminalreporter.stats.get("skipped", ())
    reasons = Counter(_reason(report) for report in reports)
    if reasons:
        terminalreporter.section("skipped", sep="-")
    for reason, tests in reasons.most_common():
        terminalreporter.write_line(f"{tests:>4}  {reason}")


def _reason(report: pytest.TestReport) -> str:
    """Return the reason without the location, since many tests are skipped for the same one."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return said.removeprefix("Skipped: ")
