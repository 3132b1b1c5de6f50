"""
Load a user's adaptive network from a module `model.py`, whose `load` returns it.

The file is trusted code, like a TorchScript file: loading it runs whatever its author wrote.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from infadapter_server.networks.adaptive.points import AdaptiveNetwork
from infadapter_server.networks.signatures import RAISED, LoadError
from infadapter_server.networks.stored import Stored

__all__ = ["open_brought"]

_LONGEST_CAUSE = 200


def open_brought(stored: Stored) -> AdaptiveNetwork:
    """Import the file and return what its `load(folder)` returns. Raises LoadError."""
    path = Path(stored.file or "")
    if not path.is_file():
        raise LoadError(f"There is no file {path}: put the module of {stored.name} there.")
    try:
        network = _module(path, stored).load(path.parent)
    except RAISED as error:
        cause = f"{type(error).__name__}: {str(error)[:_LONGEST_CAUSE]}"
        raise LoadError(
            f"The module {path} doesn't load a network ({cause}): give it a function "
            "load(folder) that returns one."
        ) from None
    if not isinstance(network, AdaptiveNetwork):
        raise LoadError(
            f"What load of {path} returns is no adaptive network: a {type(network).__name__} "
            "lacks some of points, run, weights_bytes, use_threads."
        )
    return network


def _module(path: Path, stored: Stored) -> ModuleType:
    """Import the module anew, since several versions of a model may be in memory together."""
    spec = spec_from_file_location(f"infadapter_model_{stored.name}_{stored.version}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
