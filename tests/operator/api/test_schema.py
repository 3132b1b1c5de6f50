from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from infadapter_operator.api.schema import crd_files, crds, main
from infadapter_operator.api.structural import (
    INT_OR_STRING,
    PRESERVE,
    NotStructural,
    structural_schema,
)

COMMITTED = Path(__file__).parents[3] / "manifests/crds"
TEXT = "x-kubernetes-validations"


def schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}.{key}")


def all_nodes() -> list[tuple[str, dict[str, Any]]]:
    return [node for crd in crds() for node in nodes(schema_of(crd), crd["spec"]["names"]["kind"])]


def test_the_committed_files_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(COMMITTED)]) == 0, capsys.readouterr().out
    assert {file.name for file in COMMITTED.glob("*.yaml")} >= set(crd_files())


def test_a_file_that_differs_is_named_and_then_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "variantprofiles.yaml").write_text("edited by hand")
    assert main(["--check", str(tmp_path)]) == 1
    assert "variantprofiles.yaml" in capsys.readouterr().out
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0


def test_every_list_map_and_string_that_people_write_is_bounded() -> None:
    for path, node in all_nodes():
        if ".metadata" in path or path.count(".") == 1 or PRESERVE in node:
            continue
        match node.get("type"):
            case "array":
                assert "maxItems" in node, path
            case "string":
                assert node.keys() & {"maxLength", "enum", "format"}, path
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, path


def test_every_rule_has_a_sentence_without_line_breaks() -> None:
    rules = [rule for _, node in all_nodes() for rule in node.get(TEXT, [])]
    assert len(rules) > 20
    for rule in rules:
        assert rule["message"]
        assert "\n" not in rule["message"]


def test_nothing_is_nullable() -> None:
    for path, node in all_nodes():
        assert "nullable" not in node, path
        assert INT_OR_STRING in node or not node.keys() & {"anyOf", "$ref", "const"}, path


def test_names_and_columns() -> None:
    service, profile = crds()
    assert service["spec"]["names"]["shortNames"] == ["infsvc"]
    assert profile["spec"]["names"]["shortNames"] == ["vprof"]
    version = service["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns[0] == "Ready"
    assert columns[-1] == "Age"


class WithUnion(BaseModel):
    value: int | str


class WithPair(BaseModel):
    value: tuple[int, str]


@pytest.mark.parametrize("model", [WithUnion, WithPair])
def test_what_a_crd_cannot_say_is_an_error(model: type[BaseModel]) -> None:
    with pytest.raises(NotStructural, match="value"):
        structural_schema(model)
