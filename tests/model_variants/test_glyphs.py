"""The demo's task: the same images for the same seed, and worth asking a classifier about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.networks import glyphs


def test_images_are_what_the_networks_take() -> None:
    images, labels = glyphs.sample(300, seed=5)
    assert images.shape == (300, 1, 32, 32)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert labels.shape == (300,)
    assert labels.dtype == np.int64
    assert set(labels) <= set(range(36))


@settings(max_examples=8, deadline=None)
@given(fewer=st.integers(0, 520), more=st.integers(0, 520), seed=st.integers(0, 2**40))
def test_an_image_does_not_depend_on_how_many_are_drawn(fewer: int, more: int, seed: int) -> None:
    fewer, more = sorted((fewer, more))
    few_images, few_labels = glyphs.sample_bytes(fewer, seed)
    images, labels = glyphs.sample_bytes(more, seed)
    np.testing.assert_array_equal(few_images, images[:fewer])
    np.testing.assert_array_equal(few_labels, labels[:fewer])


def test_another_seed_draws_other_images() -> None:
    images, _ = glyphs.sample_bytes(256, seed=1)
    others, _ = glyphs.sample_bytes(256, seed=2)
    assert not {image.tobytes() for image in images} & {image.tobytes() for image in others}


def test_float_pixels_are_the_bytes_exactly() -> None:
    images, _ = glyphs.sample(50, seed=3)
    pixels, _ = glyphs.sample_bytes(50, seed=3)
    np.testing.assert_array_equal(np.rint(images * 255), pixels)
    np.testing.assert_array_equal(images, pixels.astype(np.float32) / np.float32(255))


def test_every_class_occurs_about_equally_often() -> None:
    _, labels = glyphs.sample_bytes(3600, seed=4)
    counts = np.bincount(labels, minlength=36)
    assert counts.min() > 60
    assert counts.max() < 140


def test_images_look_as_when_the_networks_were_trained() -> None:
    """A new Pillow or NumPy that draws differently would make every stated accuracy untrue."""
    images, labels = glyphs.sample_bytes(2000, seed=6)
    assert labels[:8].tolist() == [16, 19, 18, 12, 34, 13, 23, 13]
    row = images[0, 0, 16, 10:20].astype(int)
    expected = [160, 154, 128, 201, 103, 0, 15, 3, 14, 4]
    assert np.count_nonzero(np.abs(row - expected) <= 2) >= 8
    assert images.mean() / 255 == pytest.approx(0.501, abs=0.005)
    assert images.std() / 255 == pytest.approx(0.334, abs=0.005)


def test_a_negative_number_of_images_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"must be zero or more, not -1\."):
        glyphs.sample(-1, seed=0)
