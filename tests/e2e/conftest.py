"""
The cluster that KUBECONFIG names, with the chart's operator in it and a real Prometheus beside it.

All of a run lives in two namespaces and a node's stand-in devices, and goes at its end.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from infadapter_operator.domain.names import GROUP, VERSION
from tests.e2e.figures import Figures, keep_log
from tests.e2e.host import ROOT, chart_values
from tests.e2e.kube import Kube, Refused, run
from tests.e2e.live import Live
from tests.e2e.prometheus import Prometheus
from tests.e2e.services import RUNGS, Rung, is_ready, ladder, measure, profile, service

OPERATOR = "app.kubernetes.io/component=operator"
FIGURES = pytest.StashKey[Figures]()
SCHEMAS = ROOT.parent / "shared/kubernetes/crds"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


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
    return f"e2e-{uuid4().hex[:6]}"


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
    """The kinds of the Gateway API and of the Prometheus operator."""
    if not SCHEMAS.is_dir():
        pytest.skip("no schemas of the Gateway API and the Prometheus operator at hand")
    run("kubectl", "apply", "--server-side", "-f", str(SCHEMAS))
    run("kubectl", "wait", "--for=condition=Established", "-f", str(SCHEMAS))


@pytest.fixture(scope="session")
def kube(programs: None, run_name: str) -> Iterator[Kube]:
    """The namespace of the services."""
    kube = Kube(run_name)
    kube.request("POST", "/api/v1/namespaces", body={"metadata": {"name": run_name}})
    yield kube
    kube.request("DELETE", f"/api/v1/namespaces/{run_name}")
    kube.close()


@pytest.fixture(scope="session")
def node(kube: Kube) -> str:
    """A node that runs pods; without one there is little to test."""
    nodes = kube.request("GET", "/api/v1/nodes")["items"]
    ready = [node["metadata"]["name"] for node in nodes if is_ready(node)]
    if not ready:
        pytest.skip("the cluster has no node that is Ready")
    return str(ready[0])


@pytest.fixture(scope="session")
def prometheus(
    run_name: str, programs: None, node: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    rules = ROOT / "helm/infadapter/files/rules.yaml"
    prometheus = Prometheus.prepared(folder, [run_name, f"{run_name}-system"], rules)
    prometheus.start()
    yield prometheus
    prometheus.kill()


@pytest.fixture(scope="session")
def operator(
    kube: Kube,
    schemas: None,
    prometheus: Prometheus,
    run_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kube]:
    """`helm install`, and the namespace of the operator. Beside another one it minds ours alone."""
    values = chart_values(prometheus.url) | {"crds": {"keep": False}}
    if has_crds(kube):
        values |= {"crds": {"install": False}, "watchNamespaces": [kube.namespace]}
    file: Path = tmp_path_factory.mktemp("helm") / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    system = Kube(f"{run_name}-system")
    release = (run_name, "--namespace", system.namespace)
    try:
        run(
            *("helm", "install", *release, "--create-namespace", str(ROOT / "helm/infadapter")),
            *("--values", str(file), "--wait", "--timeout", "120s"),
        )
        yield system
    finally:
        _keep_log(system)
        with contextlib.suppress(AssertionError):
            run("helm", "uninstall", *release, "--wait")
        with contextlib.suppress(Refused):
            system.request("DELETE", f"/api/v1/namespaces/{system.namespace}")
        system.close()


@pytest.fixture(scope="session")
def rungs(kube: Kube, operator: Kube, figures: Figures) -> dict[str, Rung]:
    """The ladder measured in pods of this cluster; its profiles are applied."""
    measured = {name: measure(kube, name) for name in RUNGS}
    for rung in measured.values():
        kube.create("variantprofiles", profile(rung))
        figures.note(f"saturation of {rung.variant} at 900m, rps", rung.saturation_rps)
    return measured


@pytest.fixture(scope="session")
def glyphs(kube: Kube, rungs: dict[str, Rung], figures: Figures) -> Live:
    """The service that most tests share. The last of them deletes it, or the namespace's end."""
    live, created_s = Live(kube, "glyphs"), time.time()
    kube.create("inferenceservices", service(live.name, ladder(live.name)))
    live.wait_until_it_serves()
    figures.note("from create to the first pod with traffic, s", time.time() - created_s)
    return live


def has_crds(kube: Kube) -> bool:
    """Somebody else's operator may be there."""
    try:
        kube.request("GET", f"/apis/{GROUP}/{VERSION}")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


def _keep_log(system: Kube) -> None:
    with contextlib.suppress(AssertionError):
        what = ("-n", system.namespace, f"--selector={OPERATOR}", "--tail=-1")
        keep_log("operator", run("kubectl", "logs", *what))
