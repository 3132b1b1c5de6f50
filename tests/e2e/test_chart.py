"""A real API server validates all objects of the chart and of the manifests."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.host import ROOT
from tests.e2e.kube import Kube, run

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CHART = str(ROOT / "helm/infadapter")
VALUES = sorted((ROOT / "tests/helm/values").glob("*.yaml"))


def rendered(values: Path, namespace: str) -> list[dict[str, Any]]:
    text = run("helm", "template", "dry", CHART, "-n", namespace, "-f", str(values))
    return [document for document in yaml.safe_load_all(text) if document]


def dry_run(objects: list[dict[str, Any]], folder: Path) -> None:
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    said = run(
        *("kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict"),
        *("--field-manager=dry", "--force-conflicts", "-f", str(file)),
    )
    assert len(said.splitlines()) == len(objects)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_api_server_accepts_every_object_of_the_chart(
    values: Path, kube: Kube, schemas: None, tmp_path: Path
) -> None:
    objects = rendered(values, kube.namespace)
    dry_run(objects, tmp_path)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_helm_would_install_it(values: Path, kube: Kube, schemas: None) -> None:
    run(
        *("helm", "install", "dry", CHART, "-n", kube.namespace, "-f", str(values)),
        *("--dry-run=server", "--set", "crds.install=false"),
    )


def test_the_api_server_accepts_every_object_of_the_manifests(kube: Kube, tmp_path: Path) -> None:
    """A dry run creates no namespace, so objects with a namespace are moved to the test's."""
    objects = list(yaml.safe_load_all(run("kubectl", "kustomize", str(ROOT / "manifests"))))
    for each in objects:
        if "namespace" in each["metadata"]:
            each["metadata"]["namespace"] = kube.namespace
    dry_run(objects, tmp_path)


def test_the_chart_is_tested_with_these_programs() -> None:
    """The chart's tests skip if a program is missing; with the programs here none may skip."""
    said = run(sys.executable, "-m", "pytest", "-q", str(ROOT / "tests/helm"))
    assert "skipped" not in said
