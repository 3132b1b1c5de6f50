"""Quantise filters to eight-bit integers, so that trained networks fit into a repository.

Each filter has its own scale, which maps its largest weight to 127. Small tensors (biases,
normalisation) stay as they are. Accuracies are measured after the rounding, never before.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = ".scale"
_COUNTER = "num_batches_tracked"  # unused once training has ended


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round a state_dict's convolution filters; about a quarter of the bytes remain."""
    packed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if tensor.ndim == 4:
            scale = tensor.abs().amax((1, 2, 3)).clamp(min=1e-12) / 127
            packed[key] = torch.round(tensor / scale[:, None, None, None]).to(torch.int8)
            packed[key + _SCALE] = scale
        elif not key.endswith(_COUNTER):
            packed[key] = tensor.clone()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state_dict in float32, less the counters that `pack` leaves out."""
    state: dict[str, Tensor] = {}
    for key, tensor in packed.items():
        if tensor.dtype == torch.int8:
            state[key] = tensor.float() * packed[key + _SCALE][:, None, None, None]
        elif not key.endswith(_SCALE):
            state[key] = tensor
    return state
