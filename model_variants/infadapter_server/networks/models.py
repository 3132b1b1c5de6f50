"""Load models and compute with them. The server imports torch only through this module.

(`ladder`, `resnet` and `programs` import torch too; no other module of the server imports them.)
Import this module late and in the thread that will compute, since it takes seconds.
"""

import logging
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from infadapter_server.networks import ladder
from infadapter_server.networks.adaptive.brought import open_brought
from infadapter_server.networks.adaptive.ladder import open_ladder
from infadapter_server.networks.adaptive.points import AdaptiveNetwork
from infadapter_server.networks.adaptive.supernet import open_supernet
from infadapter_server.networks.memory import held_bytes, trim_memory
from infadapter_server.networks.onnx_programs import open_onnx
from infadapter_server.networks.packing import unpack
from infadapter_server.networks.programs import open_program
from infadapter_server.networks.resnet import RESNETS, resnet
from infadapter_server.networks.signatures import SIGNATURES, SUPERNET, Floats, LoadError, Model
from infadapter_server.networks.stored import Format, Stored

__all__ = ["TorchModel", "load", "open_stored"]

# Exceptions of torch.load for invalid files; they depend on where the first wrong byte is.
_UNREADABLE = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError),
    *(RuntimeError, TypeError, ValueError, pickle.PickleError, struct.error),
)
_BATCH_COUNT = ".num_batches_tracked"
_log = logging.getLogger(__name__)


class TorchModel:
    """A torch network as the server's `Model`."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    def __call__(self, batch: Floats) -> Floats:
        with torch.inference_mode():
            logits: Floats = self._network(torch.from_numpy(batch)).numpy()
        return logits

    @property
    def weights_bytes(self) -> int:
        return held_bytes(self._network)

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def __del__(self) -> None:
        # Who unloads a model wants its memory, and malloc keeps what is freed.
        del self._network
        trim_memory()


def open_stored(stored: Stored) -> Model | AdaptiveNetwork:
    """Return a stored model with its weights in memory. Raises LoadError."""
    match stored.format:
        case Format.LADDER:
            return open_ladder(stored, open_plain)
        case Format.PYTHON:
            return open_brought(stored)
        case _ if stored.variant == SUPERNET:
            path = Path(stored.file) if stored.file else None
            return open_supernet(path.parent, path.name) if path else open_supernet()
    return open_plain(stored)


def open_plain(stored: Stored) -> Model:
    """Return a stored network without operating points. Raises LoadError."""
    if stored.format is Format.ONNX:
        return open_onnx(stored)
    if stored.format is not Format.VARIANT:
        return open_program(stored)
    if stored.variant not in SIGNATURES:
        raise LoadError(
            f"There is no network {stored.variant!r}: choose one of {', '.join(SIGNATURES)}."
        )
    return load(stored.variant, Path(stored.file) if stored.file else None)


def load(variant: str, weights: Path | None) -> TorchModel:
    """Return a variant with the weights of a file, or else with those that ship with it.

    No weights ship for ResNets: without a file they are random, and a warning is logged.
    Raises LoadError.
    """
    if weights is not None:
        return TorchModel(_filled(variant, weights))
    if variant in RESNETS:
        _log.warning(
            "%s HAS RANDOM WEIGHTS: its answers mean nothing. Give a file with --weights.", variant
        )
        return TorchModel(resnet(variant))
    return TorchModel(_shipped(variant))


def _shipped(variant: str) -> nn.Module:
    try:
        return ladder.build(variant)
    except _UNREADABLE as error:
        raise LoadError(
            f"The weights of {variant} that belong to this package cannot be read "
            f"({type(error).__name__}): install it again, or give a file with --weights."
        ) from None


def _filled(variant: str, weights: Path) -> nn.Module:
    if not weights.is_file():
        raise LoadError(f"There is no file {weights}: put the weights of {variant} there.")
    try:
        state = _state(torch.load(weights, map_location="cpu", weights_only=True))
    except _UNREADABLE as error:
        raise LoadError(
            f"The weights {weights} cannot be read as a file that torch.save has written "
            f"({type(error).__name__})."
        ) from None
    if state is None:
        raise LoadError(f"The weights {weights} are not a state_dict: save model.state_dict().")
    network = resnet(variant) if variant in RESNETS else ladder.blank(variant)
    _check_fit(network.state_dict(), state, weights)
    network.load_state_dict(state, strict=False)
    return network


def _state(content: object) -> Mapping[str, torch.Tensor] | None:
    """Return the content if it is a state_dict, unpacked if training has packed it, else None."""
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        return None
    packed = any(tensor.dtype == torch.int8 for tensor in content.values())
    return unpack(content) if packed else content


def _check_fit(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], weights: Path
) -> None:
    # Files from before torch 0.4.1, torchvision's first ones among them, do not count batches.
    missing = {key for key in wanted.keys() - given.keys() if not key.endswith(_BATCH_COUNT)}
    unknown = given.keys() - wanted.keys()
    if missing or unknown:
        raise LoadError(
            f"The weights {weights} are for another network: "
            f"{len(missing)} tensors are missing and {len(unknown)} unknown, "
            f"such as {min(map(str, missing or unknown))}."
        )
    for key, tensor in given.items():
        if tensor.shape != wanted[key].shape:
            raise LoadError(
                f"The weights {weights} are for another network: "
                f"{key} has the shape {list(tensor.shape)} and not {list(wanted[key].shape)}."
            )
