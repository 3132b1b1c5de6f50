"""
MNIST-1D (Greydanus & Kobak, ICML 2024): ten classes of one-dimensional signals of 40 numbers.

Its generator runs offline and its README publishes a ladder (logistic 32 %, MLP 68 %, GRU 91 %,
CNN 94 %, human 96 %), so small networks differ in accuracy. The paper trains on 4,000 signals; here
their number is free, so accuracies are higher.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats

__all__ = ["CLASSES", "LENGTH", "Floats", "Labels", "sample"]

LENGTH, CLASSES = 40, 10
_LOT = 5000  # signals drawn at once, from one seed; normalised together

Labels = npt.NDArray[np.int64]


def sample(n: int, seed: int) -> tuple[Floats, Labels]:
    """Return the first n signals of a seed, float32 [n, 1, 1, 40], and their classes."""
    lots = [_lot(seed, number) for number in range(-(-n // _LOT))]
    signals = np.concatenate([lot[0] for lot in lots]) if lots else np.empty((0, LENGTH))
    labels = np.concatenate([lot[1] for lot in lots]) if lots else np.empty(0)
    return signals[:n].astype(np.float32).reshape(-1, 1, 1, LENGTH), labels[:n].astype(np.int64)


@cache
def _lot(seed: int, number: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    # Local: only training and measuring need this package, which imports matplotlib.
    from mnist1d.data import get_dataset_args, make_dataset

    state = np.random.get_state()  # the generator seeds numpy's global one
    arguments = get_dataset_args()
    arguments.num_samples, arguments.train_split = _LOT, 1.0
    arguments.seed = 1000 * seed + number
    drawn = make_dataset(arguments)
    np.random.set_state(state)
    return drawn["x"], drawn["y"]
