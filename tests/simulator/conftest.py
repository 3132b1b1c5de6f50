"""Scenarios of the paper's five ResNets as measured, at two cores or more per pod."""

from dataclasses import replace

import pytest

from infadapter.profiles import read_preset
from infadapter_profiles.grouped import grouped
from infadapter_simulator.scenario import Scenario, speeds_of, variants_of
from infadapter_solver import Profile


@pytest.fixture(scope="session")
def paper() -> Scenario:
    return _of(read_preset("paper-raw"))


@pytest.fixture(scope="session")
def together() -> Scenario:
    """The scenario in which one variant, `all`, has them as operating points of one pod."""
    return _of((grouped("all", read_preset("paper-raw")),))


def _of(profiles: tuple[Profile, ...]) -> Scenario:
    variants = variants_of(profiles, 0.75, 99.0)
    large = (
        replace(v, allocations=tuple(a for a in v.allocations if a.cpu_millicores >= 2000))
        for v in variants
    )
    return Scenario(
        variants=tuple(large),
        speeds=speeds_of(profiles, variants),
        profiles={profile.variant: profile for profile in profiles},
    )
