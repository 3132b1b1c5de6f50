"""What can be said of the chart without Helm: its files agree with what they are copies of."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from infadapter_operator.api.schema import crd_files
from infadapter_operator.domain.service import Patience
from infadapter_operator.environment import InvalidSetting
from infadapter_operator.kube.objects import Owner
from infadapter_operator.settings import settings_from

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/infadapter"
MANIFESTS = ROOT / "manifests"
DASHBOARD = runpy.run_path(str(ROOT / "helm/dashboard.py"))


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def properties(schema: dict[str, Any], path: str = "") -> set[str]:
    """The paths of all values that a schema names."""
    found = set()
    for name, child in schema.get("properties", {}).items():
        found |= {f"{path}.{name}"} | properties(child, f"{path}.{name}")
    return found


def values(tree: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, child in tree.items():
        found |= {f"{path}.{name}"}
        found |= values(child, f"{path}.{name}") if isinstance(child, dict) else set()
    return found


def test_the_chart_has_the_crds_that_manifests_has() -> None:
    for name, text in crd_files().items():
        assert (CHART / "files/crds" / name).read_text() == text
        assert (MANIFESTS / "crds" / name).read_text() == text
    assert {file.name for file in (CHART / "files/crds").iterdir()} == set(crd_files())


def test_the_chart_and_the_manifests_allow_the_operator_the_same() -> None:
    manifest = documents(MANIFESTS / "rbac.yaml")[0]
    chart = documents(CHART / "files/rbac.yaml")[0]
    assert chart["namespaced"] + chart["cluster"] == manifest["rules"]


def test_what_the_operator_may_do_in_a_namespace_names_no_cluster_wide_resource() -> None:
    [chart] = documents(CHART / "files/rbac.yaml")
    resources = {name for rule in chart["namespaced"] for name in rule["resources"]}
    assert not resources & {"namespaces", "customresourcedefinitions", "nodes", "*"}
    verbs = {verb for rule in chart["namespaced"] for verb in rule["verbs"]}
    assert "*" not in verbs
    assert not resources & {"secrets", "roles", "rolebindings", "pods/exec"}


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    defaults = documents(CHART / "values.yaml")[0]
    schema = json.loads((CHART / "values.schema.json").read_text())
    free = re.compile(  # objects that Kubernetes defines
        r"\.(resources|podSecurityContext|securityContext|affinity|nodeSelector|router\.(pod|container))\."
    )
    written = {path for path in values(defaults) if not free.match(path)}
    assert written == properties(schema) - {".global"}


def test_the_schema_refuses_every_name_it_does_not_know() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    unbounded = [
        node
        for node in objects(schema)
        if "properties" in node and "additionalProperties" not in node
    ]
    assert unbounded == []


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    children = schema.get("properties", {}).values()
    return [schema, *(node for child in children for node in objects(child))]


def test_the_dashboard_is_the_generators() -> None:
    written = json.loads((CHART / "dashboards/infadapter.json").read_text())
    assert written == DASHBOARD["dashboard"]()


def test_the_dashboard_can_be_updated_and_takes_any_prometheus() -> None:
    board = DASHBOARD["dashboard"]()
    assert board["uid"] == "infadapter"
    sources = {panel["datasource"]["uid"] for panel in board["panels"]}
    sources |= {target["datasource"]["uid"] for p in board["panels"] for target in p["targets"]}
    assert sources == {"${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["dashboard"]()["panels"]]
    cells = [
        (x, y)
        for p in places
        for x in range(p["x"], p["x"] + p["w"])
        for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    [file] = documents(CHART / "files/rules.yaml")
    rules = [rule for group in file["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["alert"].startswith("Infadapter")
        assert {"summary", "description"} <= set(rule["annotations"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert "for" in rule


def test_every_alert_is_tested_and_documented() -> None:
    [rules] = documents(CHART / "files/rules.yaml")
    tests = "".join(file.read_text() for file in (ROOT / "tests/helm").glob("*rules_test.yaml"))
    guide = (ROOT / "docs/operations.md").read_text()
    for rule in rules["groups"][0]["rules"]:
        assert rule["alert"] in tests
        assert f"`{rule['alert']}`" in guide


def test_the_deployment_sets_only_variables_that_the_operator_reads() -> None:
    template = (CHART / "templates/deployment.yaml").read_text()
    names = set(re.findall(r"name: (INFADAPTER_\w+)", template))
    source = (ROOT / "operator/infadapter_operator/settings.py").read_text()
    unread = {name for name in names if f'"{name.removeprefix("INFADAPTER_")}"' not in source}
    assert unread == set()
    assert settings_from({}).metrics_port == 8080  # the template's port


def test_owned_objects_do_not_hold_their_service_back_which_would_need_another_right() -> None:
    """Clusters that guard ownerReferences ask for `update` on finalizers where one blocks."""
    reference = Owner(namespace="vision", name="resnet", uid="1").reference
    assert "blockOwnerDeletion" not in reference
    chart = (CHART / "files/rbac.yaml").read_text()
    assert "inferenceservices/finalizers" not in chart


@pytest.mark.parametrize(
    ("value", "variable"),
    [
        (("prometheus", "scrapeSeconds"), "INFADAPTER_SCRAPE_SECONDS"),
        (("prometheus", "timeoutSeconds"), "INFADAPTER_PROMETHEUS_TIMEOUT_SECONDS"),
        (("look", "seconds"), "INFADAPTER_LOOK_SECONDS"),
        (("patience", "startSeconds"), "INFADAPTER_START_PATIENCE_SECONDS"),
        (("patience", "readySeconds"), "INFADAPTER_READY_PATIENCE_SECONDS"),
        (("patience", "readyLoads"), "INFADAPTER_READY_PATIENCE_LOADS"),
        (("patience", "resizeSeconds"), "INFADAPTER_RESIZE_PATIENCE_SECONDS"),
        (("patience", "retryFirstSeconds"), "INFADAPTER_RETRY_FIRST_SECONDS"),
        (("patience", "retryMostSeconds"), "INFADAPTER_RETRY_MOST_SECONDS"),
    ],
)
def test_the_schema_takes_the_numbers_that_the_operator_takes(
    value: tuple[str, str], variable: str
) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    bounds = schema["properties"][value[0]]["properties"][value[1]]
    longest = {"INFADAPTER_RETRY_MOST_SECONDS": "86400"}
    shortest = {"INFADAPTER_RETRY_FIRST_SECONDS": "1"}
    for bound in (bounds["minimum"], bounds["maximum"]):
        settings_from(longest | shortest | {variable: str(bound)})
    for beyond in (bounds["minimum"] - 0.01, bounds["maximum"] + 0.01):
        with pytest.raises(InvalidSetting):
            settings_from({variable: str(beyond)})


def test_the_chart_waits_as_long_as_the_operator_does_by_itself() -> None:
    patience = documents(CHART / "values.yaml")[0]["patience"]
    assert patience == {
        "startSeconds": Patience().start_s,
        "readySeconds": Patience().ready_s,
        "readyLoads": Patience().ready_loads,
        "resizeSeconds": Patience().resize_s,
        "retryFirstSeconds": Patience().retry_first_s,
        "retryMostSeconds": Patience().retry_most_s,
    }


def test_the_manifests_set_what_the_operator_takes_and_wait_as_long_as_it_does() -> None:
    [deployment] = [d for d in documents(MANIFESTS / "operator.yaml") if d["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    settings = settings_from({entry["name"]: entry["value"] for entry in container["env"]})
    assert settings.patience == Patience()


def test_every_number_of_the_schema_has_bounds() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    numbers = [node for node in objects(schema) if node.get("type") == "number"]
    assert len(numbers) == 9  # those of the test above
    assert all({"minimum", "maximum"} <= set(node) for node in numbers)
