"""
The CRDs that the API server holds, from the models of the API.

    python -m infadapter_operator.api.schema [--check] manifests/crds helm/infadapter/files/crds
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from infadapter_operator.api.objects import InferenceService, VariantProfile
from infadapter_operator.api.structural import Schema, structural_schema
from infadapter_operator.domain.names import GROUP, PROFILES, SERVICES, VERSION

HEADER = "# Written from the models in infadapter_operator.api by `make crds`; do not edit.\n"

Column = dict[str, str | int]


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> Column:
    column: Column = {"name": name, "type": kind, "jsonPath": path}
    return column | {"priority": 1} if wide else column


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


SERVICE_COLUMNS = [
    _column("Ready", _condition("Ready", "status")),
    _column("SLO-ms", ".spec.slo.latencyMilliseconds", "integer"),
    _column("Plan", ".status.plan.summary"),
    _column("Accuracy", ".status.plan.accuracy"),
    _column("Replicas", ".status.plan.pods", "integer"),
    _column("Cost", ".status.plan.cost"),
    _column("Reason", _condition("Ready", "reason")),
    _column("Mode", ".spec.mode", wide=True),
    _column("Served", ".status.servedAccuracy", wide=True),
    _column("Demand", ".status.plan.demandRps", wide=True),
    _column("SLOMet", _condition("SLOMet", "status"), wide=True),
    _column("Message", _condition("Ready", "message"), wide=True),
    _column("Age", ".metadata.creationTimestamp", "date"),
]
PROFILE_COLUMNS = [
    _column("Accuracy", ".spec.accuracy"),
    _column("Load-s", ".spec.loadSeconds"),
    _column("Measured", ".status.measuredAt", "date"),
    _column("Machine", ".status.machine", wide=True),
    _column("Server", ".status.server", wide=True),
    _column("Age", ".metadata.creationTimestamp", "date"),
]


def _crd(
    model: type[InferenceService | VariantProfile],
    names: Schema,
    columns: list[Column],
    subresources: Schema,
) -> Schema:
    schema = structural_schema(model)
    for field in ("apiVersion", "kind"):  # the API server's own; it refuses other words for them
        schema["properties"][field] = {"type": "string"}
    schema["properties"]["metadata"] = {"type": "object"}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "subresources": subresources,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{names['plural']}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "infadapter"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names | {"kind": model.__name__, "categories": ["infadapter"]},
            "versions": [version],
        },
    }


def crds() -> list[Schema]:
    """The two CustomResourceDefinitions, as the API server takes them."""
    return [
        _crd(
            InferenceService,
            {
                "plural": SERVICES,
                "singular": "inferenceservice",
                "shortNames": ["infsvc"],  # isvc is KServe's
            },
            SERVICE_COLUMNS,
            {"status": {}},
        ),
        _crd(
            VariantProfile,
            {"plural": PROFILES, "singular": "variantprofile", "shortNames": ["vprof"]},
            PROFILE_COLUMNS,
            {},  # no status subresource: `kubectl apply` would drop the status of a profile's file
        ),
    ]


class _Dumper(yaml.SafeDumper):
    """No anchors: the same rule twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def crd_files() -> dict[str, str]:
    """File name to content, as they stand under manifests/crds."""
    return {
        f"{crd['spec']['names']['plural']}.yaml": HEADER
        + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=100)
        for crd in crds()
    }


def main(arguments: list[str]) -> int:
    """Exit 1 when `--check` finds a file that differs."""
    parser = argparse.ArgumentParser(prog="python -m infadapter_operator.api.schema")
    parser.add_argument("folders", type=Path, nargs="+", help="a chart can't link to files outside")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if files differ")
    options = parser.parse_args(arguments)
    wanted = {
        folder / name: text for folder in options.folders for name, text in crd_files().items()
    }
    return write(wanted, only_check=options.check)


def write(wanted: Mapping[Path, str], *, only_check: bool) -> int:
    """The exit status: 1 when files that are only checked differ."""
    differing = [
        file for file, text in wanted.items() if not file.exists() or file.read_text() != text
    ]
    if only_check:
        for file in differing:
            print(f"{file} is not what the models say: run `make crds`")
        return 1 if differing else 0
    for file in differing:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted[file])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
