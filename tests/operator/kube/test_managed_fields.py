from typing import Any

from infadapter_operator.kube.managed_fields import sized_fields, strike_others, strike_ours

FIELDS = sized_fields("server", ["cpu", "nvidia.com/gpu"])


def entry(manager: str, resources: Any, **spec: Any) -> dict[str, Any]:
    containers = {'k:{"name":"server"}': {".": {}, "f:image": {}, "f:resources": resources}}
    tree = {"f:template": {"f:spec": {"f:containers": containers}}, **spec}
    return {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": tree}}


def paths(operations: list[dict[str, Any]]) -> list[str]:
    assert all(operation["op"] == "remove" for operation in operations)
    return [operation["path"] for operation in operations]


def test_others_lose_replicas_and_sizes_and_nothing_else() -> None:
    theirs = entry(
        "kubectl",
        {"f:limits": {"f:memory": {}, "f:cpu": {}}},
        **{"f:replicas": {}, "f:selector": {}},
    )
    ours = entry("infadapter", {"f:limits": {"f:cpu": {}}}, **{"f:replicas": {}})
    root = "/metadata/managedFields/1/fieldsV1/f:spec"
    assert paths(strike_others([ours, theirs], FIELDS)) == [
        f"{root}/f:replicas",
        f'{root}/f:template/f:spec/f:containers/k:{{"name":"server"}}/f:resources/f:limits/f:cpu',
    ]


def test_an_emptied_node_goes_with_its_last_field() -> None:
    """An empty node in managedFields would mean that its manager owns the whole field."""
    theirs = entry("kubectl", {"f:limits": {"f:cpu": {}}, "f:requests": {"f:cpu": {}}})
    struck = paths(strike_others([theirs], FIELDS))
    assert [path.rpartition("/")[2] for path in struck] == ["f:requests", "f:resources"]


def test_a_slash_in_a_name_is_escaped() -> None:
    theirs = entry("kubectl", {"f:limits": {"f:nvidia.com/gpu": {}, "f:memory": {}}})
    assert paths(strike_others([theirs], FIELDS))[0].endswith("/f:limits/f:nvidia.com~1gpu")


def test_who_owns_none_of_it_is_left_alone() -> None:
    assert (
        strike_others([{"manager": "x", "fieldsV1": {"f:status": {}}}, {"manager": "y"}], FIELDS)
        == []
    )


def test_all_of_our_entries_go_from_the_end() -> None:
    entries = [{"manager": m} for m in ("infadapter", "kubectl", "infadapter")]
    assert paths(strike_ours(entries)) == [
        "/metadata/managedFields/2",
        "/metadata/managedFields/0",
    ]
