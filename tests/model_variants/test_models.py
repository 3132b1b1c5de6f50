"""Loading variants, from good files and bad ones."""

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infadapter_server.networks import ladder
from infadapter_server.networks.ladder import RUNGS, blank
from infadapter_server.networks.models import TorchModel, load
from infadapter_server.networks.packing import pack
from infadapter_server.networks.resnet import RESNETS
from infadapter_server.networks.signatures import SIGNATURES, SUPERNET, LoadError


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def state(name: str = "glyph-1") -> dict[str, Any]:
    return dict(blank(name).state_dict())


def images(name: str, n: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    shape = (n, *SIGNATURES[name].input_shape)
    return np.random.default_rng(7).random(shape, dtype=np.float32)


def test_there_is_a_signature_for_every_network_and_no_other() -> None:
    assert set(SIGNATURES) == {*RUNGS, *RESNETS, SUPERNET}


@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_takes_and_gives_what_its_signature_says(name: str) -> None:
    logits = TorchModel(blank(name))(images(name))
    assert logits.shape == (2, *SIGNATURES[name].output_shape)
    assert logits.dtype == np.float32


def test_weights_of_a_file_are_the_ones_that_answer(weights: Path) -> None:
    network = blank("glyph-1").eval()
    torch.save(network.state_dict(), weights)
    answer = load("glyph-1", weights)(images("glyph-1"))
    with torch.inference_mode():
        expected = network(torch.from_numpy(images("glyph-1"))).numpy()
    assert np.array_equal(answer, expected)


def test_weights_as_training_writes_them_load(weights: Path) -> None:
    network = blank("glyph-1")
    torch.save(pack(dict(network.state_dict())), weights)
    expected = TorchModel(network)(images("glyph-1"))
    rounded = 0.02 * float(np.abs(expected).max())  # filters become eight-bit numbers
    assert load("glyph-1", weights)(images("glyph-1")) == pytest.approx(expected, abs=rounded)


def test_a_package_without_its_weights_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(name: str) -> None:
        raise FileNotFoundError(name)

    monkeypatch.setattr(ladder, "build", build)
    with pytest.raises(LoadError, match="install it again, or give a file with --weights"):
        load("glyph-1", None)


def test_files_from_before_batches_were_counted_load(weights: Path) -> None:
    network = blank("glyph-1")
    old = {k: value for k, value in network.state_dict().items() if "num_batches" not in k}
    assert len(old) < len(network.state_dict())
    torch.save(old, weights)
    answer = load("glyph-1", weights)(images("glyph-1"))
    assert np.array_equal(answer, TorchModel(network)(images("glyph-1")))


def test_a_resnet_without_weights_says_loudly_that_they_are_random(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        logits = load("resnet18", None)(images("resnet18", 1))
    assert logits.shape == (1, 1000)
    assert "resnet18 HAS RANDOM WEIGHTS" in caplog.text


def test_weights_of_another_network_are_refused_with_an_example(weights: Path) -> None:
    torch.save(state("glyph-2"), weights)
    with pytest.raises(LoadError, match=r"102 tensors are missing and \d+ unknown, such as bn1"):
        load("resnet18", weights)


def test_weights_of_the_right_names_but_another_width_are_refused(weights: Path) -> None:
    torch.save(state() | {"head.bias": torch.zeros(7)}, weights)
    with pytest.raises(LoadError, match=r"head.bias has the shape \[7\] and not \[36\]"):
        load("glyph-1", weights)


@pytest.mark.parametrize("content", [[1, 2], {1: 2}, {"stem.0.weight": "text"}, None])
def test_a_file_that_holds_no_weights_is_refused(weights: Path, content: object) -> None:
    torch.save(content, weights)
    with pytest.raises(LoadError, match=r"state_dict|another network"):
        load("glyph-1", weights)


def test_packed_weights_without_their_scales_are_refused(weights: Path) -> None:
    torch.save({"stem.0.weight": torch.zeros(1, dtype=torch.int8)}, weights)
    with pytest.raises(LoadError, match="cannot be read"):
        load("glyph-1", weights)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"root:x:0:0:root\n" * 9, b"\x80\x02.", bytes(range(256))]
)
def test_a_file_of_any_other_kind_is_refused(weights: Path, content: bytes) -> None:
    weights.write_bytes(content)
    with pytest.raises(LoadError, match="cannot be read"):
        load("glyph-1", weights)


def test_a_file_that_would_run_code_is_refused_unrun(weights: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"stem.0.weight": Trap()}, weights, pickle_module=pickle)
    with pytest.raises(LoadError, match="cannot be read"):
        load("glyph-1", weights)
    assert not (tmp_path / "ran").exists()


def test_computing_uses_the_threads_it_is_told(threads: None) -> None:
    model = TorchModel(blank("glyph-1"))
    model.use_threads(1)
    assert torch.get_num_threads() == 1
    model.use_threads(2)
    assert torch.get_num_threads() == 2
