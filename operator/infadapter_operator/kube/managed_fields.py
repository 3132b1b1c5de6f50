"""
Field ownership: the entries of `metadata.managedFields`, and JSON patches that change them. Pure.

Server-side apply makes everyone who wrote the same value a joint owner, and the first to change it
gets a conflict. To become the only owner without changing a value, or to give up ownership without
deleting it, the entries themselves must be edited.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from infadapter_operator.domain.names import FIELD_MANAGER

Path = tuple[str, ...]
Operation = dict[str, Any]


def sized_fields(container: str, resources: Iterable[str]) -> tuple[Path, ...]:
    """Return the fields of a borrowed Deployment that the operator may change."""
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
    """Return operations after which nobody else owns these fields."""
    operations: list[Operation] = []
    for index, entry in enumerate(entries):
        if entry.get("manager") == FIELD_MANAGER:
            continue
        tree = _copied(entry.get("fieldsV1") or {})
        struck = [path for field in fields if (path := _strike(tree, field))]
        operations += ({"op": "remove", "path": _at(index, "fieldsV1", *path)} for path in struck)
    return operations


def strike_ours(entries: Sequence[Mapping[str, Any]]) -> list[Operation]:
    """Return operations after which the operator owns nothing; values stay."""
    ours = [i for i, entry in enumerate(entries) if entry.get("manager") == FIELD_MANAGER]
    # from the end, since a removal shifts later entries
    return [{"op": "remove", "path": _at(index)} for index in reversed(ours)]


def _strike(tree: dict[str, Any], field: Path) -> Path | None:
    """
    Remove the field and the nodes that become empty: an empty node would own its whole subtree.
    """
    nodes = list(_walk(tree, field))
    if len(nodes) < len(field):
        return None
    depth = len(field) - 1
    while depth > 0 and len(nodes[depth]) == 1:
        depth -= 1
    del nodes[depth][field[depth]]
    return field[: depth + 1]


def _walk(tree: dict[str, Any], field: Path) -> Iterator[dict[str, Any]]:
    """Yield the nodes that contain each step of the path, as far as it exists."""
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
