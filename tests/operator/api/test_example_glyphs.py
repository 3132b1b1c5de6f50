"""The README's example is parsed and planned unchanged."""

from pathlib import Path
from typing import Any

import yaml

from infadapter_operator.api.objects import InferenceService, VariantProfile, parse_object
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.parse import service_from
from infadapter_solver import CPU, Objective, Problem, solve

ROOT = Path(__file__).parents[3]
NAMES = [f"glyph-{rung}" for rung in range(1, 6)]


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / path).read_text()))


def of_example(kind: str) -> list[dict[str, Any]]:
    return [each for each in documents("manifests/examples/glyphs.yaml") if each["kind"] == kind]


def parsed() -> InferenceService:
    [document] = of_example("InferenceService")
    read = parse_object(document)
    assert isinstance(read, InferenceService)
    return read


def profiles() -> dict[str, VariantProfile]:
    read = [parse_object(document) for document in of_example("VariantProfile")]
    return {each.metadata.name: each for each in read if isinstance(each, VariantProfile)}


def service() -> Service:
    specs = {name: profile.spec for name, profile in profiles().items()}
    return service_from(parsed().spec, specs, "glyphs", "glyphs")


def test_it_makes_the_namespace_that_everything_else_is_in() -> None:
    first, *others = documents("manifests/examples/glyphs.yaml")
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", "glyphs")
    assert {each["metadata"]["namespace"] for each in others} == {"glyphs"}
    assert len(others) == 6


def test_its_profiles_are_those_that_ship_with_the_demo() -> None:
    shipped = documents("local/infadapter_local/profiles/glyphs.yaml")
    written = of_example("VariantProfile")
    assert [each["metadata"]["name"] for each in written] == NAMES
    assert [each["spec"] for each in written] == [each["spec"] for each in shipped]


def test_it_is_carried_out_as_it_is() -> None:
    asked = service()
    assert [variant.name for variant in asked.variants] == NAMES
    assert (asked.slo_s, asked.percentile, asked.objective.cost_weight) == (0.25, 99.0, 0.1)
    assert asked.budget == {CPU: 2000}


def test_every_variant_serves_within_the_slo_and_every_load_has_its_variants() -> None:
    asked = service()
    for variant in asked.variants:
        assert max(allocation.capacity_rps for allocation in variant.allocations) > 0
    chosen = [
        {group.target.variant for group in plan.groups}
        for rps in (5, 700)
        for plan in [
            solve(
                Problem(
                    variants=asked.variants,
                    demand_rps=rps,
                    objective=Objective(
                        budget=asked.budget, cost_weight=asked.objective.cost_weight
                    ),
                )
            )
        ]
        if plan.feasible
    ]
    assert len(chosen) == 2
    assert chosen[0] != chosen[1]


def test_its_pods_serve_the_variant_and_are_scraped() -> None:
    for variant in parsed().spec.variants:
        assert variant.template is not None
        assert variant.server is not None
        written = variant.template.as_body()
        [container] = written["spec"]["containers"]
        assert container["args"] == ["--variant", variant.name, "--model", "glyphs"]
        assert variant.server_port == 8080
        assert written["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8080",
            "prometheus.io/path": "/metrics",
        }


def test_the_image_is_the_one_that_make_builds() -> None:
    built = (ROOT / "Makefile").read_text()
    for variant in parsed().spec.variants:
        assert variant.template is not None
        [container] = variant.template.as_body()["spec"]["containers"]
        assert f"-t {container['image']} " in built
