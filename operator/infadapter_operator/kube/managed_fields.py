"""
Who owns a field: the entries of `metadata.managedFields`, and the JSON patches that change them.

Server-side apply shares a field with everyone who wrote the same value, and the first to change it
then meets a conflict. To be the only owner without changing the value, or to own nothing without
taking the value along, the entries themselves have to be edited. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from infadapter_operator.domain.names import FIELD_MANAGER

Path = tuple[str, ...]
Operation = dict[str, Any]


def sized_fields(container: str, resources: Iterable[str]) -> tuple[Path, ...]:
    """What is ours to change of a Deployment that is borrowed."""
    sizes = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":"{container}"}}')
    return (
        ("f:spec", "f:replicas"),
        *(
            (*sizes, "f:resources", side, f"f:{name}")
            for side in ("f:requests", "f:limits")
            for name in resources
        ),
    )


def strike_others(entries: Sequence[Mapping[str, Any]], fields: Sequence[Path]) -> list[Operation]:
    """Operations after which nobody but us owns these fields."""
    operations: list[Operation] = []
    for index, entry in enumerate(entries):
        if entry.get("manager") == FIELD_MANAGER:
            continue
        tree = _copied(entry.get("fieldsV1") or {})
        struck = [path for field in fields if (path := _strike(tree, field))]
        operations += ({"op": "remove", "path": _at(index, "fieldsV1", *path)} for path in struck)
    return operations


def strike_ours(entries: Sequence[Mapping[str, Any]]) -> list[Operation]:
    """Operations after which we own nothing; values stay."""
    ours = [i for i, entry in enumerate(entries) if entry.get("manager") == FIELD_MANAGER]
    # from the end: removing one moves those behind it
    return [{"op": "remove", "path": _at(index)} for index in reversed(ours)]


def _strike(tree: dict[str, Any], field: Path) -> Path | None:
    """Remove the field, and what it leaves empty: an empty node would own its whole subtree."""
    nodes = list(_walk(tree, field))
    if len(nodes) < len(field):
        return None
    depth = len(field) - 1
    while depth > 0 and len(nodes[depth]) == 1:
        depth -= 1
    del nodes[depth][field[depth]]
    return field[: depth + 1]


def _walk(tree: dict[str, Any], field: Path) -> Iterator[dict[str, Any]]:
    """The nodes that hold each step of the path, as far as it goes."""
    node: Any = tree
    for step in field:
        if not isinstance(node, dict) or step not in node:
            return
        yield node
        node = node[step]


def _copied(node: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in node.items()}


def _at(index: int, *steps: str) -> str:
    escaped = (step.replace("~", "~0").replace("/", "~1") for step in steps)
    return "/".join(("/metadata/managedFields", str(index), *escaped))
