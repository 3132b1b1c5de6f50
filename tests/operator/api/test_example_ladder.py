"""The example with all networks in one pod is parsed, planned and served unchanged."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infadapter_local.shipped import shipped_profiles
from infadapter_operator.api.objects import InferenceService, VariantProfile, parse_object
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.parse import service_from
from infadapter_profiles.document import read_document
from infadapter_server.serving.layout import Found, found_folder
from infadapter_solver import Objective, Problem, solve

ROOT = Path(__file__).parents[3]
NAMES = [f"glyph-{rung}" for rung in range(1, 6)]


def documents() -> dict[str, dict[str, Any]]:
    text = (ROOT / "manifests/examples/ladder.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def service() -> Service:
    found = documents()
    read, profile = (parse_object(found[kind]) for kind in ("InferenceService", "VariantProfile"))
    assert isinstance(read, InferenceService)
    assert isinstance(profile, VariantProfile)
    return service_from(read.spec, {"ladder": profile.spec}, "ladder", "glyphs")


def test_its_rows_are_those_that_were_measured_of_each_network() -> None:
    profile = read_document(documents()["VariantProfile"]).profile
    assert [point.name for point in profile.operating_points] == NAMES[::-1]
    for alone in shipped_profiles():
        rows = [row for row in profile.allocations if row.operating_point == alone.variant]
        assert [(row.size, row.points) for row in rows] == [
            (row.size, row.points) for row in alone.allocations
        ]


@pytest.mark.parametrize(("rps", "feasible"), [(20, True), (300, True), (100_000, False)])
def test_it_is_planned_for(rps: float, feasible: bool) -> None:
    asked = service()
    objective = Objective(budget=asked.budget, cost_weight=asked.objective.cost_weight)
    plan = solve(Problem(variants=asked.variants, demand_rps=rps, objective=objective))
    assert plan.feasible == feasible


def test_its_pods_find_a_model_of_all_networks(tmp_path: Path) -> None:
    found = documents()
    template = found["InferenceService"]["spec"]["variants"][0]["template"]["spec"]
    [volume], [container] = template["volumes"], template["containers"]
    for item in volume["configMap"]["items"]:
        file = tmp_path / item["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(found["ConfigMap"]["data"][item["key"]])
    assert container["args"] == ["--model", f"glyphs={container['volumeMounts'][0]['mountPath']}"]
    model = found_folder("glyphs", tmp_path)
    assert isinstance(model, Found)
    assert [rung.name for rung in model.stored.rungs] == NAMES
