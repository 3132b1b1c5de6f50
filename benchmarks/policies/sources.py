"""What a result depends on: the sources of what made it, so that it isn't taken for another's."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PROJECT = "infadapter_"


def digest_of(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


@cache
def sources(*modules: str) -> str:
    """A digest of these modules of the project and of all of it that they import."""
    found: dict[str, str] = {}
    waiting = set(modules)
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name not in found and path is not None:
            found[name] = path.read_text()
            waiting |= set(_imported(found[name])) | {name.rpartition(".")[0]} - {""}
    return digest_of(*(f"{name}\n{found[name]}" for name in sorted(found)))


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(PROJECT))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PROJECT):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _path(module: str) -> Path | None:
    """None for what is a name within a module, or a folder without one."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None
