import io
import os
from pathlib import Path

import numpy as np
import pytest

from infadapter_forecasting import InvalidWeights, PublishedLstm, QuantileNetwork, ScaledLstm
from infadapter_forecasting.lstm import SHAPES
from infadapter_forecasting.quantile_network import DEFAULT
from infadapter_forecasting.weights import LARGEST_BYTES, load, save


def lstm_arrays(value: float = 0.1) -> dict[str, np.ndarray]:
    return {name: np.full(shape, value) for name, shape in SHAPES.items()}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    network = QuantileNetwork.read()
    network.write(tmp_path / "again.npz")
    history = np.random.default_rng(0).poisson(50, 900).astype(float)
    again = QuantileNetwork.read(tmp_path / "again.npz")
    assert again.predict(history, 60, (0.9,)) == pytest.approx(network.predict(history, 60, (0.9,)))


def test_the_shipped_network_is_small() -> None:
    assert DEFAULT.stat().st_size < 200_000


def test_one_methods_weights_are_refused_by_another(tmp_path: Path) -> None:
    PublishedLstm(weights=lstm_arrays()).write(tmp_path / "lstm.npz")
    assert PublishedLstm.read(tmp_path / "lstm.npz").name == "PublishedLstm"
    with pytest.raises(InvalidWeights, match="holds a PublishedLstm, not a ScaledLstm"):
        ScaledLstm.read(tmp_path / "lstm.npz")


def test_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "lstm.npz", "PublishedLstm", {**lstm_arrays(), "bias": np.zeros(3)})
    with pytest.raises(InvalidWeights, match=r"bias has shape \(3,\), not \(100,\)"):
        PublishedLstm.read(tmp_path / "lstm.npz")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "lstm.npz", "PublishedLstm", lstm_arrays(np.nan))
    with pytest.raises(InvalidWeights, match="not a finite number"):
        PublishedLstm.read(tmp_path / "lstm.npz")


def test_a_missing_array_is_refused(tmp_path: Path) -> None:
    arrays = lstm_arrays()
    del arrays["bias"]
    save(tmp_path / "lstm.npz", "PublishedLstm", arrays)
    with pytest.raises(InvalidWeights, match="bias"):
        PublishedLstm.read(tmp_path / "lstm.npz")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.npz")
    for path in (tmp_path / "fifo.npz", Path("/dev/zero")):
        with pytest.raises(InvalidWeights, match="is no regular file"):
            load(path, "PublishedLstm", SHAPES)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 torn"])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn.npz").write_bytes(content)
    with pytest.raises(InvalidWeights):
        load(tmp_path / "torn.npz", "PublishedLstm", SHAPES)


def test_a_file_that_is_too_large_is_refused_with_its_bound(tmp_path: Path) -> None:
    (tmp_path / "large.npz").write_bytes(bytes(LARGEST_BYTES + 1))
    with pytest.raises(InvalidWeights, match="larger than 1 MiB"):
        load(tmp_path / "large.npz", "PublishedLstm", SHAPES)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "old.npz", "PublishedLstm", lstm_arrays())
    monkeypatch.setattr("infadapter_forecasting.weights.VERSION", 2)
    with pytest.raises(InvalidWeights, match="version 1, not 2"):
        load(tmp_path / "old.npz", "PublishedLstm", SHAPES)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, header=np.array([{"version": 1}], dtype=object))
    (tmp_path / "pickled.npz").write_bytes(held.getvalue())
    with pytest.raises(InvalidWeights):
        load(tmp_path / "pickled.npz", "PublishedLstm", SHAPES)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidWeights, match=r"nowhere\.npz"):
        load(tmp_path / "nowhere.npz", "PublishedLstm", SHAPES)
