"""A short comparison of policies, computed once for all tests of reports."""

import numpy as np
import pytest

from infadapter.profiles import read_preset
from infadapter_simulator.compare.compare import compare
from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario, speeds_of, variants_of
from infadapter_workload.trace import Trace


@pytest.fixture(scope="session")
def part() -> Part:
    rates = 20 + 10 * np.sin(np.arange(150) / 20)
    return Part(trace=Trace(name="waves", rates=rates), from_s=30, to_s=90)


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    profiles = read_preset("paper-raw")
    variants = variants_of(profiles, 0.75, 99.0)
    return Scenario(
        variants=variants,
        speeds=speeds_of(profiles, variants),
        profiles={profile.variant: profile for profile in profiles},
    )


@pytest.fixture(scope="session")
def comparison(scenario: Scenario, part: Part) -> Comparison:
    policies = ["fixed-resnet152-2", "infadapter", "fixed-resnet18-4"]
    return compare(
        scenario, policies, part, [3], lambda done, total: None, with_regret=False, with_series=True
    )
