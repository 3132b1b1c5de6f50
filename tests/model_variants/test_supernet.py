"""The SuperNet that ships: its points are what was noted of them, and damage is seen."""

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from infadapter_server.networks.adaptive import signals, supernet
from infadapter_server.networks.adaptive.plain import extract
from infadapter_server.networks.adaptive.points import (
    AdaptiveNetwork,
    BelowFloor,
    Point,
    UnknownPoint,
    at_least,
)
from infadapter_server.networks.adaptive.supernet import (
    NOTES,
    WEIGHTS_FILE,
    SuperNet,
    open_supernet,
)
from infadapter_server.networks.models import open_stored
from infadapter_server.networks.notes import WEIGHTS
from infadapter_server.networks.signatures import SIGNATURES, LoadError
from infadapter_server.serving.layout import found_variant

FRESH_SEED, FRESH = 77, 4000


@pytest.fixture(scope="module")
def network() -> SuperNet:
    return open_supernet()


def test_it_has_points_from_the_cheapest_to_the_most_accurate(network: SuperNet) -> None:
    assert isinstance(network, AdaptiveNetwork)
    assert len(network.points) >= 8
    for less, more in pairwise(network.points):
        assert less.accuracy < more.accuracy
        assert less.execution_s[16] < more.execution_s[16]
    assert network.points[-1].accuracy - network.points[0].accuracy >= 0.1


def test_every_point_is_an_ordinary_network_with_the_sliced_weights(network: SuperNet) -> None:
    images, _ = signals.sample(32, FRESH_SEED)
    single = images[:1]
    for name, selected in network.selected.items():
        plain = extract(network.network, selected.subnet, selected.statistics)
        with torch.inference_mode():
            wanted = plain(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(network.run(images, name), wanted, atol=1e-4)
        np.testing.assert_allclose(network.run(single, name), wanted[:1], atol=1e-4)


def test_every_point_is_as_accurate_as_noted_on_signals_that_nobody_has_seen(
    network: SuperNet,
) -> None:
    images, labels = signals.sample(FRESH, FRESH_SEED)
    for point in network.points:
        right = float((network.run(images, point.name).argmax(1) == labels).mean())
        error = (point.accuracy * (1 - point.accuracy) / FRESH) ** 0.5
        assert right == pytest.approx(point.accuracy, abs=4 * error + 0.001)


def test_without_statistics_of_its_own_the_cheapest_subnet_guesses() -> None:
    points = list(supernet.noted()["points"].values())
    assert points[0]["accuracy_with_shared_statistics"] < 0.2 < 0.7 < points[0]["accuracy"]
    assert points[-1]["accuracy_with_shared_statistics"] == points[-1]["accuracy"]


def test_a_signal_comes_as_its_signature_says(network: SuperNet) -> None:
    images, _ = signals.sample(3, FRESH_SEED)
    flat = images.reshape(3, *SIGNATURES["mnist1d"].input_shape)
    np.testing.assert_array_equal(network.run(flat, "subnet-1"), network.run(images, "subnet-1"))


def test_its_memory_is_one_set_of_weights_and_what_its_points_add(network: SuperNet) -> None:
    weights = sum(parameter.nbytes for parameter in network.network.parameters())
    assert network.weights_bytes == weights + network.statistics_bytes
    assert network.statistics_bytes < weights / 5


def test_an_unknown_point_is_told_with_those_that_there_are(network: SuperNet) -> None:
    with pytest.raises(UnknownPoint, match="no operating point 'subnet-99': there are subnet-1, "):
        network.run(np.zeros((1, 40), np.float32), "subnet-99")


def test_a_floor_above_the_best_point_names_it() -> None:
    points = (Point("low", 0.8, {}), Point("high", 0.9, {}))
    assert [point.name for point in at_least(points, 0.85)] == ["high"]
    with pytest.raises(BelowFloor, match=r"0\.95 is above .* best operating point, high with 0\.9"):
        at_least(points, 0.95)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (WEIGHTS_FILE, NOTES):
        (tmp_path / name).write_bytes((WEIGHTS / name).read_bytes())
    return tmp_path


def renote(folder: Path, **changes: object) -> None:
    notes = json.loads((folder / NOTES).read_text())
    (folder / NOTES).write_text(json.dumps({**notes, **changes}))


def test_a_damaged_file_is_known_by_its_checksum(copied: Path) -> None:
    content = bytearray((copied / WEIGHTS_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(LoadError, match=r"The checksum of .*mnist1d\.pt is not the one in"):
        open_supernet(copied)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, NOTES])
def test_a_pipe_in_the_place_of_a_file_is_a_sentence_and_nobody_waits_for_it(
    copied: Path, name: str
) -> None:
    (copied / name).unlink()
    os.mkfifo(copied / name)
    with pytest.raises(LoadError, match="of the SuperNet can't be read"):
        open_supernet(copied)


def test_notes_of_other_points_than_the_weights_have_are_refused(copied: Path) -> None:
    points = supernet.noted(copied)["points"]
    renote(copied, points={**points, "subnet-0": points["subnet-1"]})
    with pytest.raises(LoadError, match="it lacks subnet-0"):
        open_supernet(copied)


def test_weights_of_a_users_training_are_served_beside_their_notes(copied: Path) -> None:
    (copied / WEIGHTS_FILE).rename(copied / "model.pt")
    found = found_variant("signals", "mnist1d", copied / "model.pt")
    opened = open_stored(found.stored)
    assert isinstance(opened, SuperNet)
    assert opened.points == supernet.open_supernet().points


@pytest.mark.parametrize("name", [WEIGHTS_FILE, NOTES])
def test_what_is_missing_is_told(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(LoadError, match="install the package again, or train it"):
        open_supernet(copied)


def test_notes_that_are_no_notes_are_told(copied: Path) -> None:
    (copied / NOTES).write_text("{")
    with pytest.raises(LoadError, match=r"can't be read \(JSONDecodeError\)"):
        open_supernet(copied)
    (copied / NOTES).write_text("[]")
    with pytest.raises(LoadError):
        open_supernet(copied)
    (copied / NOTES).write_text((WEIGHTS / NOTES).read_text())
    renote(copied, points={"subnet-1": {}})
    with pytest.raises(LoadError, match="are not what training writes"):
        open_supernet(copied)
