"""The published model table: execution times on the paper's GPU, and copies of networks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

import yaml

from infadapter_scheduler import Model

RESNET50 = "resnet50_locked"


@cache
def shipped() -> Mapping[str, Model]:
    """Return some rows of the table, by name."""
    text = (files(__package__) / "models.yaml").read_text("utf-8")
    rows = yaml.safe_load(text)
    return {
        name: Model(
            name,
            {size: ms / 1000 for size, ms in row["execution_ms"].items()},
            row["load_ms"] / 1000,
            row["pages"],
        )
        for name, row in rows.items()
    }


def networks() -> list[Model]:
    """Return those rows once each by name, the order of the authors."""
    return [model for name, model in sorted(shipped().items()) if name != RESNET50]


def resnet50s(number: int, name: str = "resnet50") -> list[Model]:
    """Return copies that share nothing."""
    return list(copies(shipped()[RESNET50], number, name))


def copies(model: Model, number: int, name: str) -> Iterator[Model]:
    return (replace(model, name=f"{name}-{at}") for at in range(number))


def by_name(models: list[Model]) -> dict[str, Model]:
    return {model.name: model for model in models}
