"""Policies by name."""

from dataclasses import replace

import numpy as np
import pytest

from infadapter_simulator.compare.naming import UnknownPolicy, best_suited, candidates, named
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario
from infadapter_solver import Allocation, PodSize
from infadapter_workload.trace import Trace


@pytest.mark.parametrize(
    ("name", "policies"),
    [
        ("infadapter", 1),
        ("infadapter-grouped", 1),
        ("infadapter-paper", 1),
        ("ms-plus", 1),
        ("proteus", 1),
        ("ipa", 1),
        ("static-best", 1),
        ("hindsight", 1),
        ("vpa-resnet18", 1),
        ("vpa-plus-resnet50", 1),
        ("hpa-resnet50", 12),
        ("hpa-rps-resnet50", 12),
        ("kpa-resnet152", 12),
        ("keda-resnet34", 12),
        ("fixed-resnet50-8", 1),
    ],
)
def test_a_name_stands_for_all_that_is_tried_under_it(
    scenario: Scenario, name: str, policies: int
) -> None:
    assert len(candidates(name, scenario)) == policies


def test_hpa_is_the_one_on_cpu(scenario: Scenario) -> None:
    load = Part(trace=Trace(name="calm", rates=np.full(5, 4.0)), from_s=0, to_s=5).workload(1)
    name, _ = candidates("hpa-resnet50", scenario)[0](scenario, load, 1)
    assert name == "hpa-cpu-resnet50[2c,50%]"


@pytest.mark.parametrize(
    "name",
    ["", "nobody", "vpa-", "vpa-resnet", "vpa-resnet18-4", "fixed-resnet50", "kpa-resnet180"],
)
def test_other_names_are_refused_with_those_that_there_are(scenario: Scenario, name: str) -> None:
    with pytest.raises(
        UnknownPolicy, match=r"There is no policy .*: choose infadapter, .*resnet152"
    ):
        named(name, scenario, 10.0)


@pytest.mark.parametrize("cores", ["21", "0", "999999"])
def test_a_size_that_was_not_measured_is_refused(scenario: Scenario, cores: str) -> None:
    with pytest.raises(UnknownPolicy, match=r"resnet50 has pods of 1, 2, .*, 20 cores"):
        candidates(f"fixed-resnet50-{cores}", scenario)


def test_names_of_variants_may_look_like_kinds(scenario: Scenario) -> None:
    odd = replace(scenario, variants=(replace(scenario.variants[0], name="plus-x-4"),))
    assert named("vpa-plus-x-4,vpa-plus-plus-x-4,fixed-plus-x-4-8", odd, 1.0)


def test_the_usual_ones_scale_what_suits_the_load(scenario: Scenario) -> None:
    assert best_suited(scenario, 60.0) == ("resnet152",)
    assert best_suited(scenario, 150.0) == ("resnet50",)
    assert best_suited(scenario, 9999.0) == ("resnet18",)
    assert "kpa-resnet50" in named(None, scenario, 150.0)


def test_who_knows_only_cores_has_no_part_in_variants_without(scenario: Scenario) -> None:
    gpu = Allocation(size=PodSize(resources={"cpu": 1000, "nvidia.com/gpu": 1}), capacity_rps=500.0)
    variants = (replace(scenario.variants[0], name="big", allocations=(gpu,)),)
    on_gpu = replace(scenario, variants=variants)
    assert best_suited(on_gpu, 10.0) == ()
    assert not any("big" in name for name in named("all", on_gpu, 10.0))
    for name in ("kpa-big", "infadapter-paper"):
        with pytest.raises(UnknownPolicy):
            candidates(name, on_gpu)


def test_all_is_everything_once(scenario: Scenario) -> None:
    names = named("all", scenario, 10.0)
    assert len(names) == len(set(names))
    assert {"infadapter", "hindsight", "vpa-resnet18", "keda-resnet152"} < set(names)
    assert named("infadapter, infadapter", scenario, 10.0) == ("infadapter",)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("hpa-resnet18,hpa-cpu-resnet18", ("hpa-resnet18",)),
        ("hpa-cpu-resnet18,hpa-resnet18", ("hpa-cpu-resnet18",)),
        ("fixed-resnet18-8,fixed-resnet18-08", ("fixed-resnet18-8",)),
        ("hpa-resnet18,hpa-cpu-resnet50", ("hpa-resnet18", "hpa-cpu-resnet50")),
        ("hpa-cpu-resnet18,hpa-rps-resnet18", ("hpa-cpu-resnet18", "hpa-rps-resnet18")),
    ],
)
def test_two_names_of_one_policy_are_one_row(
    scenario: Scenario, asked: str, rows: tuple[str, ...]
) -> None:
    assert named(asked, scenario, 10.0) == rows


def test_variants_that_cannot_share_a_pod_are_told_so(scenario: Scenario) -> None:
    alone = replace(scenario, variants=scenario.variants[:1])
    with pytest.raises(UnknownPolicy, match=r"no infadapter-grouped here: .*two or more variants"):
        named("infadapter-grouped", alone, 10.0)
