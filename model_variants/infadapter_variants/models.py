"""Loads a variant and computes with it: the only module of the server that imports torch.

(The networks' own modules, `ladder` and `resnet`, are torch by nature; nobody else imports them
in the server.) Import it in the thread that will compute, and late: it takes seconds.
"""

import logging
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from infadapter_variants import ladder
from infadapter_variants.resnet import RESNETS, resnet
from infadapter_variants.signatures import Floats, LoadError

__all__ = ["TorchModel", "load"]

# What torch.load raises for bytes that are not its own: whatever the first wrong one leads to.
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

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)


def load(variant: str, weights: Path | None) -> TorchModel:
    """Return a variant with the weights of a file, or else with those that ship with it.

    No weights ship for ResNets: without a file theirs are random, which a warning says.
    Raises LoadError.
    """
    network = _network(variant, weights)
    if weights is not None:
        _fill(network, weights)
    return TorchModel(network)


def _network(variant: str, weights: Path | None) -> nn.Module:
    if variant in RESNETS:
        if weights is None:
            _warn_of_random_weights(variant)
        return resnet(variant)
    if weights is not None:
        return ladder.blank(variant)
    try:
        return ladder.build(variant)
    except FileNotFoundError:
        _warn_of_random_weights(variant)
        return ladder.blank(variant)


def _warn_of_random_weights(variant: str) -> None:
    _log.warning(
        "%s HAS RANDOM WEIGHTS: its answers mean nothing. Give a file with --weights.", variant
    )


def _fill(network: nn.Module, weights: Path) -> None:
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise LoadError(
            f"The weights {weights} cannot be read as a file that torch.save has written "
            f"({type(error).__name__})."
        ) from None
    if not isinstance(state, dict):
        raise LoadError(f"The weights {weights} are not a state_dict: save model.state_dict().")
    _check_fit(network.state_dict(), state, weights)
    network.load_state_dict(state, strict=False)


def _check_fit(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, object], weights: Path
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
        if not isinstance(tensor, torch.Tensor) or tensor.shape != wanted[key].shape:
            raise LoadError(
                f"The weights {weights} are for another network: "
                f"{key} is not a tensor of the shape {list(wanted[key].shape)}."
            )
