"""Objects that the API accepts or refuses, for tests of the models and of a real API server."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[3]
EXAMPLE: dict[str, dict[str, Any]] = {
    document["kind"]: document
    for document in yaml.safe_load_all((ROOT / "manifests/examples/resnet.yaml").read_text())
}


class Case(NamedTuple):
    kind: str
    name: str
    document: dict[str, Any]
    field: str = ""
    says: str = ""


def _place(document: Any, pointer: str) -> tuple[Any, Any]:
    *path, last = pointer[1:].split("/")
    for step in path:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document, int(last) if isinstance(document, list) else last


def changed(kind: str, case: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(EXAMPLE[kind])
    for pointer, value in case.get("set", {}).items():
        container, key = _place(document, pointer)
        container[key] = value
    for pointer in case.get("remove", []):
        container, key = _place(document, pointer)
        del container[key]
    if "repeat" in case:
        variant = document["spec"]["variants"][0]
        names = [f"variant-{number}" for number in range(case["repeat"])]
        document["spec"]["variants"] = [{**variant, "name": name} for name in names]
    return document


def _cases(file: str) -> list[Case]:
    kinds = yaml.safe_load(Path(__file__).with_name(file).read_text())
    return [
        Case(kind, case["case"], changed(kind, case), case.get("field", ""), case.get("says", ""))
        for kind, cases in kinds.items()
        for case in cases
    ]


REFUSED = _cases("api_refusals.yaml")
ACCEPTED = _cases("api_acceptances.yaml")
