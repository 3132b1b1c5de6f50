"""
Fixtures on the cluster that KUBECONFIG names, with the chart's operator and a real Prometheus.

A run creates everything in a few namespaces, and stand-in devices of a node; both are removed at
its end.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e import burning as service_that_burns
from tests.e2e.figures import Figures
from tests.e2e.host import ROOT, chart_values
from tests.e2e.kube import Kube, has_crds, run
from tests.e2e.live import Live
from tests.e2e.load import Load
from tests.e2e.prometheus import Prometheus
from tests.e2e.release import Release
from tests.e2e.services import RUNGS, Rung, is_ready, ladder, measure, profile, service
from tests.e2e.turns import BESIDE, LOAD, ROOMY, Room, Turns, TwoGroups, group_of, in_order

FIGURES = pytest.StashKey[Figures]()
FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()  # shared by the two workers
TURNS, TURN_OF = pytest.StashKey[Turns](), pytest.StashKey[str]()
SCHEMAS = ROOT.parent / "shared/kubernetes/crds"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()
    config.addinivalue_line("markers", f"{ROOMY}: tests of the other worker may run beside it")
    given = getattr(config, "workerinput", {})
    if "e2e_folder" in given:
        config.stash[TURNS] = Turns(Path(given["e2e_folder"]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each worker the common folder; xdist's controller calls this."""
    config = node.config
    if config.getoption("dist") != "loadscope":
        return
    if FOLDER not in config.stash:
        config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="e2e-turns-")
        config.add_cleanup(config.stash[FOLDER].cleanup)
    node.workerinput["e2e_folder"] = config.stash[FOLDER].name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoGroups | None:
    return TwoGroups(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the turn before pytest's timeout of the test begins."""
    item.config.stash[TURN_OF] = group_of(item.nodeid)
    turns = item.config.stash.get(TURNS, None)
    with turns.of(item) if turns else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let the other worker run once a roomy test's fixtures, which it needs, are set up."""
    if (
        TURNS in item.config.stash
        and group_of(item.nodeid) == LOAD
        and item.get_closest_marker(ROOMY)
    ):
        item.config.stash[TURNS].leave()


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if TURNS in config.stash:
        config.stash[TURNS].end()
    if hasattr(config, "workeroutput"):
        config.workeroutput["e2e_figures"] = json.dumps(config.stash[FIGURES].rows, default=str)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    rows = json.loads(getattr(node, "workeroutput", {}).get("e2e_figures", "[]"))
    node.config.stash[FIGURES].rows.extend(rows)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = terminalreporter.config.stash[FIGURES]
    if not figures.rows:
        return
    figures.write(terminalreporter.config.rootpath / "e2e-results.json")
    terminalreporter.section("measured (e2e-results.json)")
    for line in figures.lines():
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash[FIGURES]


@pytest.fixture(scope="session")
def run_name() -> str:
    """The name of the run, the same in all workers."""
    return f"e2e-{os.environ.get('PYTEST_XDIST_TESTRUNUID', uuid4().hex)[:6]}"


@pytest.fixture(scope="session")
def turns(request: pytest.FixtureRequest) -> Turns | None:
    """The turns of two workers, None if there is one worker only."""
    return request.config.stash.get(TURNS, None)


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest, turns: Turns | None) -> dict[str, Any]:
    """What the worker "load" has created in the cluster, for the worker "beside"."""
    is_beside = turns is not None and request.config.stash[TURN_OF] == BESIDE
    names = ("operator", "rungs") if is_beside else ()
    found = {name: turns.told(name) for name in names if turns is not None}
    return {name: content for name, content in found.items() if content is not None}


@pytest.fixture(scope="session")
def namespaces(run_name: str) -> dict[str, str]:
    """The namespaces of the services, by group of tests."""
    return {LOAD: run_name, BESIDE: f"{run_name}-beside"}


@pytest.fixture(scope="session")
def programs() -> None:
    if "KUBECONFIG" not in os.environ:
        pytest.skip("KUBECONFIG names no cluster")
    missing = [
        name for name in ("kubectl", "helm", "prometheus", "promtool") if not shutil.which(name)
    ]
    if missing:
        pytest.skip(f"not on the PATH: {', '.join(missing)}")


@pytest.fixture(scope="session")
def schemas(programs: None) -> None:
    """Install the CRDs of the Gateway API and of the Prometheus operator."""
    if not SCHEMAS.is_dir():
        pytest.skip("no schemas of the Gateway API and the Prometheus operator at hand")
    run("kubectl", "apply", "--server-side", "-f", str(SCHEMAS))
    run("kubectl", "wait", "--for=condition=Established", "-f", str(SCHEMAS))


@pytest.fixture(scope="session")
def kube(
    programs: None, namespaces: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Kube]:
    """A client for the namespace of the services."""
    kube = Kube(namespaces[request.config.stash[TURN_OF]])
    kube.request("POST", "/api/v1/namespaces", body={"metadata": {"name": kube.namespace}})
    yield kube
    kube.request("DELETE", f"/api/v1/namespaces/{kube.namespace}")
    kube.close()


@pytest.fixture(scope="session")
def node(kube: Kube) -> str:
    """The name of a Ready node. Tests that need one are skipped if there is none."""
    nodes = kube.request("GET", "/api/v1/nodes")["items"]
    ready = [node["metadata"]["name"] for node in nodes if is_ready(node)]
    if not ready:
        pytest.skip("the cluster has no node that is Ready")
    return str(ready[0])


@pytest.fixture(scope="session")
def prometheus(
    run_name: str,
    namespaces: dict[str, str],
    programs: None,
    node: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    rules = ROOT / "helm/infadapter/files/rules.yaml"
    scraped = [*namespaces.values(), f"{run_name}-system"]
    prometheus = Prometheus.prepared(folder, scraped, rules)
    prometheus.start()
    yield prometheus
    prometheus.kill()


@pytest.fixture(scope="session")
def operator(request: pytest.FixtureRequest, told: dict[str, Any]) -> Iterator[Kube]:
    """A client for the namespace of the operator, which the worker "load" has installed."""
    if "operator" not in told:
        yield request.getfixturevalue("release").system
        return
    system = Kube(told["operator"])
    yield system
    system.close()


@pytest.fixture(scope="session")
def release(
    kube: Kube,
    schemas: None,
    prometheus: Prometheus,
    run_name: str,
    turns: Turns | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Release]:
    """
    The installed chart. If another operator is in the cluster, this one watches only the namespace
    of the services.
    """
    values = chart_values(prometheus.url) | {"crds": {"keep": False}}
    if has_crds(kube):
        values |= {"crds": {"install": False}, "watchNamespaces": [kube.namespace]}
    release = Release(run_name, values, tmp_path_factory.mktemp("helm"))
    try:
        release.install()
        if turns:
            turns.tell("operator", release.system.namespace)
        yield release
        if turns:
            turns.wait_for_the_other()
    finally:
        release.uninstall()


@pytest.fixture
def usual(release: Release) -> None:
    """Give the operator its usual settings, which earlier tests may have changed."""
    release.set()


@pytest.fixture(scope="session")
def room(turns: Turns | None) -> Room:
    """A context during which tests of the other worker may run, for phases without measurements."""
    return turns.room if turns else contextlib.nullcontext


@pytest.fixture(scope="session")
def small_room(turns: Turns | None) -> Room:
    """Like `room`, but the other worker may run no pods, since the node may be full."""
    return partial(turns.room, pods=False) if turns else contextlib.nullcontext


@pytest.fixture(scope="session")
def deleted(operator: Kube) -> Iterator[list[Live]]:
    """Deleted services for which no test waits: they must be gone at the end of the run."""
    services: list[Live] = []
    yield services
    for live in services:
        live.wait_until_gone()


@pytest.fixture(scope="session")
def rungs(
    kube: Kube, operator: Kube, figures: Figures, turns: Turns | None, told: dict[str, Any]
) -> dict[str, Rung]:
    """The ladder, measured once in pods of this cluster, and its profiles applied."""
    if "rungs" in told:
        measured = {name: Rung(**rung) for name, rung in told["rungs"].items()}
    else:
        measured = {name: measure(kube, name) for name in RUNGS}
        for rung in measured.values():
            figures.note(f"saturation of {rung.variant} at 900m, rps", rung.saturation_rps)
        if turns:
            turns.tell("rungs", {name: asdict(rung) for name, rung in measured.items()})
    for rung in measured.values():
        kube.create("variantprofiles", profile(rung))
    return measured


@pytest.fixture(scope="session")
def burning(kube: Kube, release: Release, rungs: dict[str, Rung]) -> Iterator[Load]:
    """The calm load on a service whose error budget will burn."""
    release.hurry()
    calm = service_that_burns.calm(kube, rungs[service_that_burns.RUNG])
    yield calm
    calm.stop()


@pytest.fixture(scope="session")
def glyphs(kube: Kube, release: Release, rungs: dict[str, Rung], figures: Figures) -> Live:
    """The service that most tests share. The last of them deletes it, or else the namespace."""
    release.set()
    live, created_s = Live(kube, "glyphs"), time.time()
    kube.create("inferenceservices", service(live.name, ladder(live.name)))
    live.wait_until_it_serves()
    figures.note("from create to the first pod with traffic, s", time.time() - created_s)
    return live
