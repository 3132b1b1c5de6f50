"""The chart's own tests, which take a core for a while."""

import sys

import pytest

from tests.e2e.host import ROOT
from tests.e2e.kube import run

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_the_chart_is_tested_with_these_programs() -> None:
    """The chart's own tests skip what they have no program for; here nothing is missing."""
    said = run(sys.executable, "-m", "pytest", "-q", str(ROOT / "tests/helm"))
    assert "skipped" not in said
