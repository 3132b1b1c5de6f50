"""
Programs: networks whose file contains their code, written by torch.jit.save or torch.export.save.

Such a file is trusted like the server's own code: unlike a state_dict, which is read as tensors
only, loading it runs whatever its author wrote.
"""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from infadapter_server.networks.answers import LONGEST_CAUSE, Misfit, check_answer
from infadapter_server.networks.memory import (
    collect_and_trim,
    freeze_imports,
    held_bytes,
    trim_memory,
)
from infadapter_server.networks.signatures import Floats, LoadError, Signature
from infadapter_server.networks.stored import Format, Stored

__all__ = ["Program", "open_program"]

_WRITTEN_BY = {Format.TORCHSCRIPT: "torch.jit.save", Format.EXPORT: "torch.export.save"}
_BATCH_GUARD = ".size()[0]"
_ONE_BATCH = ": export it with a dynamic batch, or for one image and with `batch_sizes: [1]`"


class Program:
    """A torch program as the server's `Model`; each answer is checked against the signature."""

    def __init__(
        self, network: nn.Module, signature: Signature, free: Callable[[], None] = trim_memory
    ) -> None:
        self._network, self._signature, self._free = network, signature, free

    def __call__(self, batch: Floats) -> Floats:
        try:
            with torch.inference_mode():
                answer = self._network(torch.from_numpy(batch))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's network raises
            kind = type(error).__name__
            raise Misfit(
                f"for the input {list(batch.shape)} it raises {kind}, {_cause(error)}"
            ) from None
        self._check(answer, batch)
        outputs: Floats = answer.numpy()
        return outputs

    @property
    def weights_bytes(self) -> int:
        return held_bytes(self._network)

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def __del__(self) -> None:
        # Unloading must return memory to the system.
        del self._network
        self._free()

    def _check(self, answer: object, batch: Floats) -> None:
        if not isinstance(answer, torch.Tensor):
            raise Misfit(f"it answers with a {type(answer).__name__}, and not with one tensor")
        kind = str(answer.dtype).removeprefix("torch.")
        check_answer(tuple(answer.shape), kind, batch.shape, self._signature)


def open_program(stored: Stored) -> Program:
    """Return the program of a file with its weights in memory. Raises LoadError."""
    path = Path(stored.file or "")
    _check_kind(path, stored)
    try:
        if stored.format is Format.TORCHSCRIPT:
            return Program(_scripted(path), stored.signature)
        # Graphs of an export are in reference cycles.
        return Program(_exported(path), stored.signature, collect_and_trim)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file leads to
        raise LoadError(
            f"The model {path} cannot be loaded ({type(error).__name__}: {_cause(error)}): "
            f"write it again by {_WRITTEN_BY[stored.format]}, with the torch of this server, "
            f"{torch.__version__}."
        ) from None


def _scripted(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        # torch 2.13 deprecates TorchScript in favour of export, but still loads it.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.jit")
        network: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return network.eval()


def _exported(path: Path) -> nn.Module:
    freeze_imports(lambda: torch.export.load(path))
    # It keeps the mode of its export; `eval` raises an error.
    return torch.export.load(path).module()


def _check_kind(path: Path, stored: Stored) -> None:
    """Check the archive's format, since the loaders' own messages only name missing pickles."""
    if not path.is_file():
        raise LoadError(f"There is no file {path}: put the model of {stored.name} there.")
    found = _kind(path)
    if found is stored.format:
        return
    wanted = _WRITTEN_BY[stored.format]
    if found is None:
        raise LoadError(f"The model {path} is damaged, or no file of torch: write it by {wanted}.")
    if found is Format.VARIANT:
        raise LoadError(
            f"The model {path} holds weights without code: name its network as `variant`, "
            f"or write it by {wanted}."
        )
    suffix = "model.pt" if found is Format.TORCHSCRIPT else "model.pt2"
    raise LoadError(f"The model {path} was written by {_WRITTEN_BY[found]}: call it {suffix}.")


def _kind(path: Path) -> Format | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    if "constants.pkl" in names:
        return Format.TORCHSCRIPT
    if "archive_format" in names:
        return Format.EXPORT
    return Format.VARIANT if "data.pkl" in names else None


def _cause(error: Exception) -> str:
    """Return the line with the cause; TorchScript's is the last, after a long traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
    cause = (lines[-1] if "TorchScript" in lines[0] else lines[0])[:LONGEST_CAUSE]
    return cause + _ONE_BATCH if _BATCH_GUARD in cause else cause
