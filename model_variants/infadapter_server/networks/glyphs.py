"""Draws the demo's task: single characters under bad conditions.

A demo has to show that larger networks answer better, so its task must be hard enough to separate
them, and it must come without a download. Here 36 characters in Pillow's own font are warped,
surrounded by fragments of others, lit unevenly, inverted at random and covered with noise.
Part of the error is irreducible: a rotated 0 and O, or 1 and I, are nearly the same drawing.

Images depend on the seed alone: image i of a seed is the same however many are drawn.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIZE = 32  # pixels of an image's side

_CHUNK = 256  # images drawn at once from one random stream
_FINER = 4  # a character's raster has this many pixels per image pixel, so nearest will do
_RASTER = SIZE * _FINER
_FRAGMENTS = 3

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def sample(n: int, seed: int) -> tuple[Floats, Labels]:
    """Return the first n images of a seed, float32 [n, 1, 32, 32] in 0..1, and their classes.

    Pixels are whole multiples of 1/255, so they survive being kept as bytes.
    """
    pixels, labels = sample_bytes(n, seed)
    return pixels.astype(np.float32) / np.float32(255), labels


def sample_bytes(n: int, seed: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    """As `sample`, with pixels as bytes 0..255: a quarter of the memory."""
    if n < 0:
        raise ValueError(f"The number of images must be zero or more, not {n}.")
    pixels = np.empty((n, 1, SIZE, SIZE), np.uint8)
    labels = np.empty(n, np.int64)
    for start in range(0, n, _CHUNK):
        rng = np.random.default_rng([seed, start // _CHUNK])
        images, classes = _draw(rng)
        stop = min(start + _CHUNK, n)
        pixels[start:stop, 0] = np.rint(images[: stop - start] * 255)
        labels[start:stop] = classes[: stop - start]
    return pixels, labels


def _draw(rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Draw one chunk; always a whole one, so that images do not depend on how many are wanted."""
    classes = rng.integers(len(CLASSES), size=_CHUNK)
    ink = _character(rng, classes)
    for _ in range(_FRAGMENTS):
        ink = np.maximum(ink, _fragment(rng))
    images = _background(rng) + _uniform(rng, 0.4, 0.75) * ink
    inverted = _uniform(rng, 0, 1) < 0.5
    images = np.where(inverted, 1 - images, images)
    images += _uniform(rng, 0, 0.2) * rng.standard_normal(images.shape, np.float32)
    return np.clip(images, 0, 1), classes


def _character(rng: np.random.Generator, classes: Labels) -> Floats:
    turn = np.deg2rad(_uniform(rng, -35, 35))
    scale = _uniform(rng, 0.55, 1.1)
    shear = _uniform(rng, -0.4, 0.4)
    shift = rng.uniform(-5, 5, (2, _CHUNK, 1, 1)).astype(np.float32)
    bend = _smooth_field(rng.normal(0, 1.5, (2 * _CHUNK, 5, 5)))
    return _paint(classes, turn, scale, shear, shift, bend.reshape(2, _CHUNK, SIZE, SIZE))


def _fragment(rng: np.random.Generator) -> Floats:
    """Return a fainter character that lies mostly outside, turned at will."""
    classes = rng.integers(len(CLASSES), size=_CHUNK)
    turn = _uniform(rng, -np.pi, np.pi)
    scale = _uniform(rng, 0.5, 1.0)
    direction, distance = _uniform(rng, -np.pi, np.pi), _uniform(rng, 10.5, 17.5)
    shift = distance * np.stack([np.cos(direction), np.sin(direction)])
    drawn = _paint(classes, turn, scale, np.zeros_like(turn), shift, np.float32(0))
    return _uniform(rng, 0.35, 0.9) * drawn


def _background(rng: np.random.Generator) -> Floats:
    return _smooth_field(rng.uniform(0, 0.3, (_CHUNK, 3, 3)))


def _paint(
    classes: Labels,
    turn: Floats,
    scale: Floats,
    shear: Floats,
    shift: Floats,
    bend: Floats | np.float32,
) -> Floats:
    """Render each image by sampling its character's raster at every pixel."""
    axis = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
    x, y = axis[None, None, :] - shift[0], axis[None, :, None] - shift[1]
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    across, down = cos * x + sin * y, cos * y - sin * x
    places = np.stack([across + shear * down, down]) + bend
    inside = np.clip(places * _FINER + _RASTER / 2, 0, _RASTER - 1)
    column, row = inside.astype(np.intp)
    flat = (classes[:, None, None] * _RASTER + row) * _RASTER + column
    ink: Floats = _rasters().take(flat)
    return ink


@cache
def _rasters() -> Floats:
    """Return the characters, large and centred, [36, 128, 128] in 0..1; their rims are empty."""
    # Local import: the server needs CLASSES and runs without Pillow.
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    font = ImageFont.load_default(size=22 * _FINER)
    rasters = []
    for character in CLASSES:
        image = Image.new("L", (_RASTER, _RASTER))
        pen = ImageDraw.Draw(image)
        left, top, right, bottom = pen.textbbox((0, 0), character, font=font)
        corner = ((_RASTER - left - right) / 2, (_RASTER - top - bottom) / 2)
        pen.text(corner, character, fill=255, font=font)
        soft = image.filter(ImageFilter.GaussianBlur(_FINER / 2))
        rasters.append(np.asarray(soft, np.float32) / 255)
    return np.stack(rasters)


def _smooth_field(knots: npt.NDArray[np.float64]) -> Floats:
    """Stretch [n, k, k] knots to [n, 32, 32], linear between them."""
    weights = _stretch(knots.shape[-1])
    field: Floats = weights @ knots.astype(np.float32) @ weights.T
    return field


@cache
def _stretch(knots: int) -> Floats:
    at = np.linspace(0, knots - 1, SIZE)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(knots)))
    single: Floats = weights.astype(np.float32)
    return single


def _uniform(rng: np.random.Generator, low: float, high: float) -> Floats:
    """Return one number per image, shaped to spread over its pixels."""
    return rng.uniform(low, high, (_CHUNK, 1, 1)).astype(np.float32)
