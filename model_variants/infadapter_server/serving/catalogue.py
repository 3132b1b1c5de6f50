"""The models of a server: those named on the command line, and those of a repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.serving.config_keys import NAME, ConfigError
from infadapter_server.serving.layout import (
    FILES,
    Found,
    Unfit,
    found_file,
    found_folder,
    found_variant,
    scan,
)

__all__ = ["Catalogue", "Changes", "Given", "differences", "parse_given"]


@dataclass(frozen=True, slots=True)
class Changes:
    """Model names that changed between two readings of the files."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """NAME=WHAT: a shipped variant, a model's file, or a model's folder."""

    name: str
    what: str

    def find(self) -> Found | Unfit:
        if self.what in SIGNATURES:
            return found_variant(self.name, self.what)
        path = Path(self.what)
        return found_folder(self.name, path) if path.is_dir() else found_file(self.name, path)


def parse_given(text: str) -> Given:
    """Parse NAME=WHAT. Raises ConfigError."""
    name, equals, what = text.partition("=")
    if not equals or not what or not NAME.fullmatch(name):
        raise ConfigError(f"{text[:80]!r} is not NAME=VARIANT, NAME=FILE or NAME=FOLDER.")
    if what not in SIGNATURES and not (Path(what).is_file() or Path(what).is_dir()):
        raise ConfigError(f"{what[:200]!r} is no variant, no file and no folder.")
    if Path(what).is_file() and Path(what).suffix not in {Path(file).suffix for file in FILES}:
        raise ConfigError(
            f"{what[:200]!r} must end in .pt (TorchScript, weights), "
            ".pt2 (export), .onnx or .py (an adaptive network)."
        )
    return Given(name, what)


@dataclass(frozen=True, slots=True)
class Catalogue:
    given: tuple[Given, ...]
    folder: Path | None

    def read(self) -> Mapping[str, Found | Unfit]:
        """
        Return all models by name. Raises ConfigError for an unreadable folder or a duplicate name.
        """
        models: dict[str, Found | Unfit] = scan(self.folder) if self.folder is not None else {}
        for each in self.given:
            if each.name in models:
                raise ConfigError(f"There are two models of the name {each.name}.")
            models[each.name] = each.find()
        return models


def differences(before: Mapping[str, Found | Unfit], after: Mapping[str, Found | Unfit]) -> Changes:
    changed = (
        name for name in after if name in before and _stamp(after[name]) != _stamp(before[name])
    )
    return Changes(
        added=tuple(name for name in after if name not in before),
        changed=tuple(changed),
        removed=tuple(name for name in before if name not in after),
    )


def _stamp(entry: Found | Unfit) -> str:
    return entry.stamp if isinstance(entry, Found) else entry.reason
