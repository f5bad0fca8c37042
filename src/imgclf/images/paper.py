"""Ink lifted off its ground: from a photograph, scan or drawing to bright strokes on exact black."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 1024  # pixels: finer detail than this does not reach a model's small frame
GROUND_SIDE, LIGHT_SIDE = 256, 64  # pixels: shades on the paper have edges, the slope of the light has none
DARKEST_PAPER = 32  # grey levels: darker ground is taken for this bright, so that its grain is not blown up
UNEVEN = 8  # grey levels by which a ground may differ and still count as even
EVEN_CONTRAST, EVEN_SHARE = 96, 0.5  # grey levels from ground to ink; of the ground, the rest being soft edges
IN_DOUBT = 0.1  # of all pixels, from a half: ink of a full frame can be as frequent as its ground
FAINTEST_INK = 16  # grey levels over the ground; and eight times the noise
BLURS = (0, 1, 2, 4)  # pixels (standard deviation): the least at which ink stands out of the grain is taken
SPECK = 0.02  # of the largest piece of ink: smaller pieces are dust


@dataclass(frozen=True)
class LiftedInk:
    """Strokes, uint8 (height, width), ground exactly 0, in an image that was reduced by ``reduction`` (>= 1)."""

    strokes: NDArray[np.uint8]
    reduction: float
    steps: tuple[str, ...]


def lift_ink(image: NDArray[np.uint8]) -> LiftedInk | None:
    """The ink of a grey image, uint8 (height, width), of either polarity, or None where there is none.

    Dark ink is inverted; an uneven or grainy ground is estimated and subtracted; what then stands out by Otsu's
    threshold is ink, together with the soft edges that touch it.
    """
    image, reduction = _reduce(image, WORKING_SIDE)
    steps = []
    if is_dark_ink(image):
        image = 255 - image
        steps.append("inverted: dark ink on a light ground")
    even = _even_ground(image)
    ground = _ground(image) if even is None else np.full(image.shape, np.median(image[even]), np.float32)
    height_over_ground = image - ground
    if steps:
        # Light on paper multiplies: ink in the shade stands out less, but by the same share of the paper's brightness.
        height_over_ground *= 255 / np.maximum(255 - ground, DARKEST_PAPER)
    for blur in BLURS:
        calm = _blurred(height_over_ground, blur)
        under = calm if even is None else calm[even]
        noise = _noise(under)
        strokes, specks = _strokes(calm - np.median(under), noise)
        if strokes is not None:
            break
    else:
        return None
    if float(np.ptp(ground)) > UNEVEN or noise >= 1:
        steps.append("levelled: background removed")
    if blur:
        steps.append(f"smoothed: grain blurred by {blur} {'pixel' if blur == 1 else 'pixels'}")
    if specks:
        steps.append(f"cleaned: {specks} {'speck' if specks == 1 else 'specks'} of dust removed")
    return LiftedInk(strokes, reduction, tuple(steps))


def is_dark_ink(image: NDArray[np.uint8]) -> bool:
    """Whether what stands out of a grey image, uint8 (height, width), is darker than the ground around it.

    Of two even levels ink is the rarer one. Elsewhere it is what differs strongly from the local median in few places,
    so the skewness of the difference has its sign.
    """
    import cv2

    small, _ = _reduce(image, GROUND_SIDE)
    bright = float(np.mean(small > cv2.threshold(small, 0, 255, cv2.THRESH_OTSU)[0]))
    is_two_levels = _even_ground(small) is not None and _even_ground(255 - small) is not None
    if is_two_levels and abs(bright - 0.5) > IN_DOUBT:
        return bright > 0.5
    window = min(255, max(3, max(small.shape) // 2 | 1))
    difference = small.astype(np.float64) - cv2.medianBlur(small, window)
    return bool(np.sum(difference**3) < 0)


def stroke_width(strokes: NDArray[np.uint8]) -> float:
    """The mean width of bright strokes on black, uint8 (height, width), in pixels; 0 where there are none.

    Across a stroke the distance to the nearest ground rises to half its width and falls again: its mean is a quarter.
    """
    import cv2

    finer = max(2, -(-112 // max(strokes.shape)))  # enlarged, for fractions of a pixel
    enlarged = cv2.resize(strokes, None, fx=finer, fy=finer, interpolation=cv2.INTER_LINEAR)
    ink = np.pad((enlarged >= 128).astype(np.uint8), 1)
    distance = np.asarray(cv2.distanceTransform(ink, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    # A distance is measured from the middle of a pixel to that of the first outside: half a pixel too far.
    return float(4 * (distance[ink > 0].mean() - 0.5)) / finer if ink.any() else 0.0


def _reduce(image: NDArray[np.uint8], longer_side: int) -> tuple[NDArray[np.uint8], float]:
    """The image with its longer side at most ``longer_side``, and by what it was divided."""
    import cv2

    reduction = max(image.shape) / longer_side
    if reduction <= 1:
        return image, 1.0
    height, width = (max(1, round(side / reduction)) for side in image.shape)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8), reduction


def _even_ground(image: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where the ground under bright strokes is seen, bool (height, width); None where it is uneven or hard to tell.

    On an even ground nothing need be estimated, which takes strokes for ground where they fill the frame.
    """
    import cv2

    threshold, _ = cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)
    dark = image <= threshold
    if dark.all() or not dark.any() or image[~dark].mean() - image[dark].mean() < EVEN_CONTRAST:
        return None
    even: NDArray[np.bool_] = dark & (np.abs(image - np.median(image[dark])) <= UNEVEN / 2)
    return even if even.sum() >= EVEN_SHARE * dark.sum() else None


def _ground(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The ground under bright strokes, float32 (height, width): a morphological opening wider than any stroke.

    An opening is too low where the ground rises towards a border of the image, so the light's slope is taken out first.
    """
    import cv2

    small, _ = _reduce(image, GROUND_SIDE)
    # A bold stroke is a quarter of its letter wide.
    window = max(3, round(0.35 * max(small.shape)))
    coarse, _ = _reduce(small, LIGHT_SIDE)
    slope = np.asarray(cv2.resize(_smooth_light(coarse), small.shape[::-1]), np.float32)
    calm = cv2.medianBlur(small - slope, 5 if min(small.shape) > 64 else 1)
    opened = cv2.morphologyEx(calm, cv2.MORPH_OPEN, np.ones((window, window), np.uint8))
    ground = cv2.blur(np.asarray(opened), (5, 5)) if min(small.shape) > 64 else opened
    return np.asarray(cv2.resize(ground + slope, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _smooth_light(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The quadratic surface nearest to the ground: fitted to all pixels, then again without those far from it."""
    height, width = image.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = image.reshape(-1).astype(np.float64)
    surface = np.full_like(values, np.median(values))
    for _ in range(3):
        distance = np.abs(values - surface)
        near = distance <= max(2.0, 2.5 * float(np.median(distance)))
        chosen = terms[near]
        surface = terms @ np.linalg.lstsq(chosen.T @ chosen, chosen.T @ values[near], rcond=None)[0]
    return surface.reshape(height, width).astype(np.float32)


def _blurred(height: NDArray[np.float32], blur: int) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(height, (0, 0), blur), np.float32) if blur else height


def _noise(height: NDArray[np.float32]) -> float:
    """The standard deviation of the ground's grain, from the median deviation: ink is in few places."""
    return 1.4826 * float(np.median(np.abs(height - np.median(height))))


def _strokes(height: NDArray[np.float32], noise: float) -> tuple[NDArray[np.uint8] | None, int]:
    """Strokes as uint8 with their soft edges, all else 0, and how many specks of dust were left out."""
    import cv2

    over_noise = np.clip(height - 3 * noise, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(over_noise, 0, 255, cv2.THRESH_OTSU)
    ink = over_noise > threshold
    full = float(np.percentile(height[ink], 75)) if ink.any() else 0.0
    if full < max(FAINTEST_INK, 8 * noise):
        return None, 0
    faintest = max(4 * noise, 0.05 * full)
    kept, specks = _pieces(height > faintest, ink)
    soft = np.clip((height - faintest) * (255 / (full - faintest)), 0, 255)
    return np.where(kept, soft, 0).round().astype(np.uint8), specks


def _pieces(candidates: NDArray[np.bool_], ink: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
    """The connected pieces of ``candidates`` that hold ink and are no specks, and the number of specks."""
    import cv2

    count, labels = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=8)
    ink_of_piece: NDArray[Any] = np.bincount(np.asarray(labels)[ink & candidates], minlength=count)
    keep = ink_of_piece >= max(1.0, SPECK * ink_of_piece.max())
    kept: NDArray[np.bool_] = keep[np.asarray(labels)] & candidates
    return kept, int(np.sum((ink_of_piece > 0) & ~keep))
