"""
Packed copies of SubNets' shared weights: the CPU counterpart of SUSHI's on-chip buffer.

A SubNet with fewer channels than the SuperNet uses weights that don't lie next to each other, and
copies them before it can compute: that is fetching. A copy that was kept serves a SubNet of the
same channels and no more kernels; unlike on the chip, a part of a layer doesn't.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from infadapter_scheduler.subgraphs import Slice, Slices

__all__ = ["PackedSlices"]


class PackedSlices:
    """
    `weights`: by layer, [kernels, channels, height, width] of the largest SubNet; an elastic
    network's parameters are given as they are, and nothing of them is changed.
    """

    def __init__(self, weights: Mapping[int, Tensor], most_bytes: int) -> None:
        self._weights, self._most_bytes = weights, most_bytes
        self._kept: dict[int, Tensor] = {}

    def keep(self, subgraph: Slices) -> int:
        """Replace the kept SubGraph by this one; return the number of bytes copied.

        Raises ValueError if it is larger than the budget.
        """
        views = {layer: self._view(layer, part) for layer, part in subgraph.items()}
        if sum(view.nbytes for view in views.values()) > self._most_bytes:
            raise ValueError(f"the SubGraph is larger than {self._most_bytes:,} bytes")
        before, self._kept, copied = self._kept, {}, 0
        for layer, view in views.items():
            old = before.pop(layer, None)
            if old is None or old.shape != view.shape:
                old = view.clone(memory_format=torch.contiguous_format)
                copied += old.nbytes
            self._kept[layer] = old
        return copied

    def weight(self, layer: int, part: Slice) -> Tensor:
        """Return the slice's weights, contiguous: kept, or copied now unless contiguous already."""
        view, kept = self._view(layer, part), self._kept.get(layer)
        if kept is not None and len(view) <= len(kept) and kept.shape[1:] == view.shape[1:]:
            return kept[: len(view)]
        return view.contiguous()

    def must_copy(self, layer: int, part: Slice) -> bool:
        """Whether a SubNet copies these weights when they aren't kept."""
        return not self._view(layer, part).is_contiguous()

    def _view(self, layer: int, part: Slice) -> Tensor:
        whole = self._weights[layer]
        edges = [max(0, length - part.side) // 2 for length in whole.shape[2:]]
        high, wide = (slice(e, n - e) for e, n in zip(edges, whole.shape[2:], strict=True))
        return whole[: part.kernels, : part.channels, high, wide]
