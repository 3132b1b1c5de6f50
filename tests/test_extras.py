"""What an extra installs is all that its programs import, at whatever depth and however late."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infadapter.command_line import COMMANDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVER = ("infadapter_server.__main__", "infadapter_server.executors.remote.command")
IMAGES = {"operator": ("infadapter_operator.main",), "server": SERVER}
"""Where the programs of an image begin, by the name of its Dockerfile."""
ASKED_FOR = {"matplotlib", "mnist1d", "onnxruntime", "opentelemetry", "statsmodels"}
"""Where a program needs one of these and it is missing, it says so and what to install."""
OF_A_CLONE = {"kubernetes", "urllib3"}  # of whoever makes the Job, which the Job itself does not
FOLDERS = (
    *("solver", "forecasting", "scheduler", "operator"),
    *("model_variants", "local", "simulator", "cli"),
)


@pytest.mark.parametrize(("image", "entries"), IMAGES.items())
def test_an_image_has_what_its_programs_import(image: str, entries: Iterable[str]) -> None:
    assert missing(extras_of(image), entries) == {}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_what_its_extras_install(name: str) -> None:
    entry = COMMANDS[name]
    assert missing(entry.extras, [entry.module]) == {}


def test_the_profiler_runs_in_the_server_s_image() -> None:
    assert missing(extras_of("server"), [COMMANDS["profile"].module]).keys() <= OF_A_CLONE


def extras_of(image: str) -> str:
    """What its Dockerfile installs."""
    lines = (ROOT / "images" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    [extras] = re.findall(r"'\.\[([\w,]+)\]'", lines)
    return str(extras)


def missing(extras: str, entries: Iterable[str]) -> dict[str, set[str]]:
    """What is imported and not installed with them, and where."""
    theirs = installed(filter(None, extras.split(",")))
    names = distributions()
    return {
        package: modules
        for package, modules in third_party(entries).items()
        if package not in ASKED_FOR and theirs.isdisjoint(map(canonicalize_name, names[package]))
    }


@cache
def distributions() -> Mapping[str, list[str]]:
    """By package, those that install it; all files of all that is installed are looked at."""
    return packages_distributions()


def installed(extras: Iterable[str]) -> set[str]:
    """Distributions, with what they bring."""
    optional = PROJECT["optional-dependencies"]
    todo = [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]
    found: set[str] = set()
    while todo:
        name = canonicalize_name(Requirement(todo.pop()).name)
        if name not in found:
            found.add(name)
            todo += brought_by(name)
    return found


@cache
def brought_by(name: str) -> list[str]:
    """On this platform, without extras."""
    lines = [Requirement(line) for line in requires(name) or ()]
    return [line.name for line in lines if not line.marker or line.marker.evaluate({"extra": ""})]


def third_party(entries: Iterable[str]) -> Mapping[str, set[str]]:
    """Packages, with the modules of ours that import them, among all that is reached."""
    found: dict[str, set[str]] = defaultdict(set)
    todo, seen = list(entries), set()
    while todo:
        module = todo.pop()
        if module in seen or not (file := file_of(module)):
            continue
        seen.add(module)
        for name in imports_of(file):
            package = name.partition(".")[0]
            if package.startswith("infadapter"):
                todo += [name, package]
            elif package not in sys.stdlib_module_names:
                found[package].add(module)
    return found


@cache
def file_of(module: str) -> Path | None:
    within = Path(*module.split("."))
    for folder in FOLDERS:
        for file in (
            ROOT / folder / within.with_suffix(".py"),
            ROOT / folder / within / "__init__.py",
        ):
            if file.is_file():
                return file
    return None


@cache
def imports_of(file: Path) -> frozenset[str]:
    """Names of modules; a name that is imported from a package may be one."""
    return frozenset(_imports(ast.parse(file.read_text(encoding="utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
