"""
The API reference, a table of fields for both kinds, from the schema that the API server holds.

    python -m infadapter_operator.api.reference [--check] docs/api.md

Written from the CRDs rather than from the models, so that it says what is enforced.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infadapter_operator.api.model import VALIDATIONS
from infadapter_operator.api.schema import crds, write
from infadapter_operator.api.structural import INT_OR_STRING, PRESERVE, Schema
from infadapter_operator.domain.names import GROUP, VERSION

HEADER = f"""# The API: `{GROUP}/{VERSION}`
Written from the models in `infadapter_operator.api` by `make crds`; do not edit. An
[example](../manifests/examples/resnet.yaml), and [how it works](design.md).

- A *decimal* is a string such as `"0.05"`: a float loses digits on its way through other tools.
- A *quantity* is written as in Kubernetes, `2` or `"500m"`: of `cpu` in cores, of devices in whole
  units.
- `[]` is any item of a list. A field that has no default and is not required may be absent.
- What holds between fields stands in the words with which it is refused.
- What is *open* takes further fields of the pod API, which the API server judges.
"""
COLUMNS = ("field", "type", "default", "unit", "bounds", "what it is")
UNITS = {"Milliseconds": "ms", "Seconds": "s", "Rps": "requests/s", "rps": "requests/s"}
DECIMAL = re.compile('must be a decimal number(?: of)? ?(.*), as a string such as ".*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    path: str
    schema: Schema
    required: bool = False


def rows(path: str, schema: Schema) -> Iterator[Row]:
    """Every field below, in the order in which the models name them."""
    required = schema.get("required", [])
    for name, child in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield Row(path=below, schema=child, required=name in required)
        yield from rows(below, child)
        for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
            yield from rows(below + mark, child.get(key, {}))


def reference() -> str:
    """The whole document, in Markdown."""
    return "\n".join([HEADER, *(part for crd in crds() for part in _kind(crd))])


def _kind(crd: Schema) -> Iterator[str]:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {crd['spec']['names']['kind']}\n{_about(schema)}"
    for part in ("spec", "status"):
        below = schema["properties"][part]
        yield f"### {part}\n{_about(below)}\n{_table(part, below)}"


def _about(schema: Schema) -> str:
    """What it is, and what holds between its fields."""
    rules = "".join(f"- {bound}\n" for bound in _bounds(schema))
    return f"{_text(schema['description'])}\n{rules}"


def _table(path: str, schema: Schema) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(_cells(row) for row in rows(path, schema))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    schema = row.schema
    return (
        f"`{row.path}`",
        _type(schema),
        "required" if row.required else _default(schema),
        _unit(row.path, schema),
        _text("; ".join(_bounds(schema))),
        _text(schema.get("description", "")),
    )


def _type(schema: Schema) -> str:
    if INT_OR_STRING in schema:
        return "quantity"
    if any(DECIMAL.match(rule["message"]) for rule in schema.get(VALIDATIONS, ())):
        return "decimal"
    match schema["type"]:
        case "array":
            return f"list of {_type(schema['items'])}"
        case "object" if "additionalProperties" in schema:
            return f"map of {_type(schema['additionalProperties'])}"
        case "object" if PRESERVE in schema:
            return "open object"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case kind:
            return str(kind)


def _default(schema: Schema) -> str:
    """That of an object with fields is theirs."""
    if "default" not in schema or "properties" in schema:
        return ""
    return f"`{json.dumps(schema['default'])}`"


def _unit(path: str, schema: Schema) -> str:
    """Units stand in names, but for quantities."""
    if "quantity" in _type(schema):
        return "cores, devices"
    name = path.rpartition(".")[2]
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def _bounds(schema: Schema) -> Iterator[str]:
    """In the words with which the API server refuses what breaks them."""
    if words := schema.get("enum"):
        yield ", ".join(map(str, words))
    yield from _range(schema, "minimum", "maximum", "")
    yield from _range(schema, "minItems", "maxItems", " items")
    yield from _range(schema, "minProperties", "maxProperties", " keys")
    if schema.get("type") == "string" and not schema.get(VALIDATIONS):
        yield from _range(schema, "minLength", "maxLength", " characters")
    yield from (_rule(rule) for rule in schema.get(VALIDATIONS, ()))
    for key in ("items", "additionalProperties"):
        each = schema.get(key, {})
        if each and INT_OR_STRING not in each:  # quantities are explained above
            yield from (f"each: {bound}" for bound in _bounds(each))


def _range(schema: Schema, least: str, most: str, of: str) -> Iterator[str]:
    low, high = schema.get(least), schema.get(most)
    above = "above " if schema.get("exclusiveMinimum") and least == "minimum" else ""
    if low is not None and high is not None:
        yield f"{above}{_number(low)} to {_number(high)}{of}"
    elif low is not None:
        yield f"{above or 'at least '}{_number(low)}{of}"
    elif high is not None:
        yield f"at most {_number(high)}{of}"


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _rule(rule: dict[str, str]) -> str:
    decimal = DECIMAL.match(rule["message"])
    said = decimal.group(1) if decimal else rule["message"]
    field = rule.get("fieldPath", "").removeprefix(".")
    return f"`{field}`: {said}" if field else said.removeprefix("must be ")


def _text(words: str) -> str:
    """One line that a cell of a table can hold."""
    return " ".join(words.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Exit 1 when `--check` finds that the file differs."""
    parser = argparse.ArgumentParser(prog="python -m infadapter_operator.api.reference")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    options = parser.parse_args(arguments)
    return write({options.file: reference()}, only_check=options.check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
