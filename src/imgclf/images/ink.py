"""White ink on black, as in MNIST: what training images of this kind look like, and other images made to look so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.images.paper import LiftedInk, lift_ink, stroke_width
from imgclf.images.resize import resize

INK_LEVEL = 16  # of 255: what is brighter belongs to a stroke
BLACK = 4  # of 255: a ground up to here needs no levelling
THIN = 0.5  # of the training images' stroke width: thinner ones are thickened
SAMPLE = 2000  # images that are looked at for the kind of the data; positions are measured on all

INVERTED = "inverted: dark ink on a light ground"


@dataclass(frozen=True)
class InkStyle:
    """How the ink of the training images sits in their frame; lengths in pixels of that frame.

    ``box`` is the longer side of the ink's bounding box (median). ``centred_by`` says what lies at the same place in
    all images: the centre of mass or that of the bounding box; this place is ``offset_y`` and ``offset_x`` from the
    frame's centre, and an image's centre is up to ``wander`` from it. ``stroke`` is the median width of the strokes.
    MNIST: box 20 of 28, by mass, 0.5 from the centre, since it is the pixel (14, 14) there; strokes of 2.5.
    """

    box: int
    centred_by: Literal["mass", "box"]
    offset_y: float
    offset_x: float
    wander: float
    stroke: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> InkStyle:
        return cls(**values)


def is_white_on_black(images: NDArray[np.uint8]) -> bool:
    """Whether training images, uint8 (images, height, width, channels), are strokes of white ink on black ground.

    They are where the border is dark, over 40 % of all pixels are black, and the middle of what is bright is nearly
    white in 85 % of the places: ink is white all along a stroke, while garments and faces have every grey.
    """
    kind = _measure_kind(images)
    return kind is not None and kind.border < 64 and kind.black > 0.4 and kind.white_ridges > 0.85


def measure_ink(images: NDArray[np.uint8]) -> InkStyle | None:
    """How the ink of training images, uint8 (images, height, width, 1), sits; None where they are no such drawings."""
    if not is_white_on_black(images):
        return None
    grey = images[..., 0]
    grey = grey[(grey > INK_LEVEL).any(axis=(1, 2))]
    boxes = _boxes(grey)
    candidates: dict[Literal["mass", "box"], NDArray[np.float64]] = {"mass": _mass(grey), "box": boxes[:, :2]}
    # A centre stands still where images are centred by it. In doubt it is the box, which a speck moves less.
    centred_by: Literal["mass", "box"] = "mass" if _spread(candidates["mass"]) < _spread(candidates["box"]) else "box"
    centres = candidates[centred_by]
    offset = np.median(centres, axis=0)
    return InkStyle(
        box=round(float(np.median(boxes[:, 2]))),
        centred_by=centred_by,
        offset_y=round(float(offset[0]), 2),
        offset_x=round(float(offset[1]), 2),
        wander=round(float(np.percentile(np.abs(centres - offset), 99.9)), 2),
        stroke=round(float(np.median([stroke_width(image) for image in _sample(grey, 200)])), 2),
    )


def prepare_ink(
    image: NDArray[np.uint8], style: InkStyle, height: int, width: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """An image, uint8 (any height, any width, 1), as a training image, uint8 (height, width, 1), and the steps taken.

    An image that sits in its frame as the training images do, or does so when it is resized, is only resized (and
    inverted). Any other is made white on black, cropped to its ink, scaled to the style's box and centred as the style
    says.
    """
    same_size = image.shape[:2] == (height, width)
    small = resize(image, height, width)
    resized = [] if same_size else [f"resized from {image.shape[1]}x{image.shape[0]} to {width}x{height}"]
    for candidate, inverted in ((small, []), (255 - small, [INVERTED])):
        if _sits(candidate[..., 0], style) and (same_size or _is_enlarged(image, candidate, style)):
            return candidate, inverted + resized
    lifted = lift_ink(image[..., 0])
    if lifted is None:
        return small, [f"no ink found: {'left' if same_size else 'resized'} as it is"]
    strokes, crop_step = _crop(lifted)
    scale = _scale(strokes, style, height, width)
    strokes, thicken_steps = _thicken(strokes, scale, style)
    strokes = _shrink_to_box(strokes, _scale(strokes, style, height, width))
    placed = _place(strokes, style, height, width)
    fit = f"scaled to fit {style.box}x{style.box}"
    centred = "centred by mass" if style.centred_by == "mass" else "centred by its box"
    return placed[..., np.newaxis], [*lifted.steps, crop_step, *thicken_steps, fit, centred]


@dataclass(frozen=True)
class _Kind:
    """What tells strokes from other grey images. Measured on whole training sets (border, black, white_ridges):

    =========================  ======  =====  ============
    MNIST                         0.1   0.84         0.998
    Quick Draw (ten classes)      0.0   0.78         0.998
    digits, 8x8                  38.0   0.58         0.974
    digits, enlarged to 28x28    38.0   0.55         0.891
    Fashion-MNIST                12.0   0.59         0.682
    its bags (class 8)           14.7   0.50         0.705
    its ankle boots (class 9)     6.8   0.59         0.816
    =========================  ======  =====  ============
    """

    border: float  # mean of the outermost pixels, 0 to 255
    black: float  # share of pixels under 64
    white_ridges: float  # of the pixels from 64 that no neighbour outshines: share from 192; mean over the images


def _measure_kind(images: NDArray[np.uint8]) -> _Kind | None:
    import cv2

    if images.shape[3] != 1 or not len(images):
        return None
    grey = _sample(images[..., 0], SAMPLE)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    white = []
    for image in grey:
        brightest = np.asarray(cv2.dilate(image, np.ones((3, 3), np.uint8)), np.uint8)
        ridges = image[(image == brightest) & (image >= 64)]
        if len(ridges):
            white.append(float(np.mean(ridges >= 192)))
    if not white:
        return None
    return _Kind(float(border.mean()), float(np.mean(grey < 64)), float(np.mean(white)))


def _sample(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most ``count`` images, evenly spread over all."""
    positions = np.linspace(0, len(images) - 1, min(count, len(images))).astype(np.int64)
    return np.asarray(images[positions], np.uint8)


def _boxes(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of the ink's bounding box in each image: the centre's offset (y, x) from the frame's, and the longer side."""
    sides = []
    for axis in (1, 2):
        length = grey.shape[axis]
        inked: NDArray[np.bool_] = np.asarray((grey > INK_LEVEL).any(axis=3 - axis))
        first, last = inked.argmax(axis=1), length - 1 - inked[:, ::-1].argmax(axis=1)
        sides.append(((first + last - (length - 1)) / 2, last - first + 1))
    return np.stack([sides[0][0], sides[1][0], np.maximum(sides[0][1], sides[1][1])], axis=1)


def _mass(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The offset (y, x) of each image's centre of mass from the frame's centre."""
    height, width = grey.shape[1:]
    rows, columns = grey.sum(axis=2, dtype=np.float64), grey.sum(axis=1, dtype=np.float64)
    total = rows.sum(axis=1)
    y, x = rows @ np.arange(height) / total, columns @ np.arange(width) / total
    return np.stack([y - (height - 1) / 2, x - (width - 1) / 2], axis=1)


def _spread(centres: NDArray[np.float64]) -> float:
    return float(np.mean(np.std(centres, axis=0)))


def _sits(grey: NDArray[np.uint8], style: InkStyle) -> bool:
    """Whether one image of the model's size is white on black, and its ink of the size and at the place of the style's.

    A pixel more than the training images differ among themselves is allowed, so that each of them passes.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if not (grey > INK_LEVEL).any() or np.median(border) > INK_LEVEL or grey.mean() >= 128 or grey.max() < 128:
        return False
    box = _boxes(grey[np.newaxis])[0]
    centre = _mass(grey[np.newaxis])[0] if style.centred_by == "mass" else box[:2]
    away = np.abs(centre - (style.offset_y, style.offset_x)).max()
    return bool(abs(box[2] - style.box) <= max(2, style.box / 10) and away <= style.wander + 1)


def _is_enlarged(image: NDArray[np.uint8], small: NDArray[np.uint8], style: InkStyle) -> bool:
    """Whether ``small`` may be what ``image`` was enlarged from: equal sides and box, black ground, bold strokes.

    A photograph's grey ground, and hairlines that resizing makes faint, are left to the longer treatment.
    """
    longer = _boxes(small[np.newaxis, ..., 0])[0, 2]
    same_sides = abs(image.shape[0] * small.shape[1] / (image.shape[1] * small.shape[0]) - 1) < 0.02
    is_black = np.percentile(small, 10) <= BLACK
    same_box = abs(longer - style.box) <= max(1, style.box / 10)
    return bool(same_sides and same_box and is_black and stroke_width(small[..., 0]) >= THIN * style.stroke)


def _crop(lifted: LiftedInk) -> tuple[NDArray[np.uint8], str]:
    rows, columns = (np.flatnonzero(lifted.strokes.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    strokes = lifted.strokes[top : rows[-1] + 1, left : columns[-1] + 1]
    height, width, top, left = (round(side * lifted.reduction) for side in (*strokes.shape, top, left))
    return strokes, f"cropped to its ink: {width}x{height} at ({left}, {top})"


def _scale(strokes: NDArray[np.uint8], style: InkStyle, height: int, width: int) -> float:
    """By what the strokes' sides are multiplied so that the longer is the style's box, and both fit the frame."""
    ink_height, ink_width = strokes.shape
    return float(min(style.box / max(ink_height, ink_width), height / ink_height, width / ink_width))


def _thicken(strokes: NDArray[np.uint8], scale: float, style: InkStyle) -> tuple[NDArray[np.uint8], list[str]]:
    """Strokes that scaling would leave under half as wide as the training images' are widened to 0.8 of those first."""
    import cv2

    wide = stroke_width(strokes) * scale
    if wide >= THIN * style.stroke:
        return strokes, []
    more = round((0.8 * style.stroke - wide) / scale)
    if more < 1:
        return strokes, []
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (more + 1, more + 1))
    thick = np.asarray(cv2.dilate(np.pad(strokes, more), kernel), np.uint8)
    rows, columns = (np.flatnonzero(thick.any(axis=axis)) for axis in (1, 0))
    step = f"thickened: strokes of {wide:.1f} pixels"
    return thick[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], [step]


def _shrink_to_box(strokes: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The strokes scaled, and stretched so that the brightest pixel is 255."""
    height, width = (max(1, round(side * scale)) for side in strokes.shape)
    scaled = resize(strokes[..., np.newaxis], height, width)[..., 0]
    return (scaled * (255 / max(1, int(scaled.max())))).round().astype(np.uint8)


def _place(strokes: NDArray[np.uint8], style: InkStyle, height: int, width: int) -> NDArray[np.uint8]:
    """The strokes on black, their centre at the style's place to the nearest pixel, but never cut by the frame."""
    ink_height, ink_width = strokes.shape
    inner = _mass(strokes[np.newaxis])[0] if style.centred_by == "mass" else np.zeros(2)
    top = round((height - ink_height) / 2 + style.offset_y - float(inner[0]))
    left = round((width - ink_width) / 2 + style.offset_x - float(inner[1]))
    top, left = min(max(top, 0), height - ink_height), min(max(left, 0), width - ink_width)
    frame = np.zeros((height, width), np.uint8)
    frame[top : top + ink_height, left : left + ink_width] = strokes
    return frame
