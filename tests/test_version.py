"""The version is that of `pyproject.toml`, wherever it is written."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from infadapter_operator.settings import Settings

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAMING = [
    ROOT / "Makefile",
    ROOT / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("manifests/**/*.yaml"),
]


def test_the_chart_has_the_version_of_the_distribution() -> None:
    chart = yaml.safe_load((ROOT / "helm/infadapter/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


def test_routers_run_the_image_of_the_installed_version() -> None:
    assert Settings().router.image == f"infadapter/operator:{VERSION}"


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_images_are_named_by_their_version(path: Path) -> None:
    tags = re.findall(r"infadapter/(?:operator|server|\$image):(\w[\w.-]*\w)", path.read_text())
    assert set(tags) <= {VERSION}


def test_no_module_has_a_version_of_its_own() -> None:
    packages = ("cli", "local", "model_variants", "operator", "scheduler", "simulator", "solver")
    modules = [path for name in packages for path in ROOT.glob(f"{name}/**/*.py")]
    assert [path for path in modules if f'"{VERSION}"' in path.read_text()] == []
