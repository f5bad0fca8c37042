"""The look that all pictures share, and how a picture becomes bytes without pyplot or a global backend."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#24292f"
FAINT_INK = "#6e7781"
LINES = "#d0d7de"
TRAINING = "#0072b2"
VALIDATION = "#d55e00"
RIGHT = "#1a7f37"
WRONG = "#cf222e"
# Okabe and Ito's colours, which people with any colour vision tell apart, without the yellow that white swallows.
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b4b8a", "#7f7f7f", "#8c564b", "#17807e")
DPI = 128  # a power of two, so that pixels to inches and back is exact

# DejaVu Sans comes with matplotlib; the others are tried for characters that it lacks, where they are installed.
_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Hiragino Sans", "Arial Unicode MS", "Noto Sans")


@contextmanager
def styled() -> Iterator[None]:
    """Within it, figures are drawn in the common style; matplotlib's own settings are as before afterwards."""
    from matplotlib import rc_context

    with rc_context(cast(Any, _settings())), warnings.catch_warnings():
        # Whoever draws says so before, once: ``missing_characters``.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of ``width`` by ``height`` inches that arranges its axes by itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.09))
    FigureCanvasAgg(figure)
    return figure


def picture(figure: Figure, format: Literal["png", "svg"] = "png") -> bytes:
    """The figure as a PNG or SVG file, without a date, so that equal figures are equal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, metadata={"Date": None} if format == "svg" else None)
    return buffer.getvalue()


def missing_characters(texts: Iterable[str]) -> list[str]:
    """The characters of some texts, each once and in order, that no font of the pictures has: boxes are drawn for them.

    matplotlib takes a second to import, which texts in ASCII don't cost.
    """
    wanted = dict.fromkeys(
        character for text in texts if not text.isascii() for character in text if not character.isspace()
    )
    if not wanted:
        return []
    from matplotlib.font_manager import findfont, get_font

    known = {code for family in _families() for code in get_font(findfont(family)).get_charmap()}
    return [character for character in wanted if ord(character) not in known]


def shortened(text: str, length: int) -> str:
    """``text``, cut to ``length`` characters with an ellipsis as the last where it is longer."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def open_frame(axes: Axes) -> None:
    """Leave of the frame only the left and bottom line, with a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=LINES, linewidth=0.6)
    axes.set_axisbelow(True)


def _families() -> list[str]:
    """The fonts of the pictures that there are, those of characters that the first ones lack after them."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(font for font in _FONTS if font in installed)]


def _settings() -> dict[str, Any]:
    return {
        "font.family": _families(),
        "font.size": 9,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT_INK,
        "text.color": INK,
        "xtick.color": FAINT_INK,
        "ytick.color": FAINT_INK,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.bbox": None,
        "savefig.dpi": "figure",
        # A class may be called "$5" or "_": names are never read as formulas.
        "text.parse_math": False,
        "text.usetex": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "imgclf",
    }
