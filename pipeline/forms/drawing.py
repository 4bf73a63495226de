"""Draw forms as a vector PDF, page by page, exactly where `pipeline.forms.layout` says.

matplotlib does the drawing, one axis unit a millimetre. It is imported inside the functions: it
takes half a second.
"""

import io
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.forms.code import draw_code, draw_marker
from pipeline.forms.layout import (
    LABEL_COLUMN,
    LINE_WIDTH,
    MARKERS,
    PAPERS,
    Form,
    FormBox,
    Square,
    code_squares,
    form_boxes,
    has_label_column,
    marker_number,
    marker_squares,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline
    from matplotlib.transforms import Bbox

_POINTS_A_MM = 72 / 25.4
# Pale enough to vanish on reading, dark enough to write by.
_BOX_COLOUR = "#b9cfe2"
_LABEL_COLOUR = "#8a949e"
_TEXT_COLOUR = "#4a535c"
_EXAMPLE_COLOUR = "#2f3d73"

_MANY_SCRIPTS = {"HIRAGANA", "KATAKANA", "CJK", "HANGUL"}


def draw_forms(forms: Iterable[Form]) -> bytes:
    """Return a PDF with a page for each form.

    Raises DataError when no installed font can show a class or the writer's name.
    """
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    stream = io.BytesIO()
    metadata = {"Title": "Handwriting form", "Creator": "prep", "CreationDate": None}
    # Type 42 keeps TrueType outlines as they are instead of redrawing them.
    with matplotlib.rc_context({"pdf.fonttype": 42}), PdfPages(stream, metadata=metadata) as pdf:
        for form in forms:
            pdf.savefig(_draw_page(form))
    return stream.getvalue()


def _draw_page(form: Form) -> "Figure":
    """Return one form as a figure of the paper's size."""
    from matplotlib.figure import Figure

    width, height = PAPERS[form.paper]
    figure = Figure(figsize=(width / 25.4, height / 25.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    _draw_markers(axes, form)
    _draw_header(axes, form)
    _draw_footer(axes, form)
    _draw_grid(axes, form)
    return figure


# --- the parts of a page ----------------------------------------------------------------------


def _draw_markers(axes: "Axes", form: Form) -> None:
    squares = marker_squares(form.paper)
    for position in range(MARKERS):
        number = marker_number(form.paper, position, form.version)
        _fill_modules(axes, draw_marker(number), tuple(squares[position]))
    modules = draw_code(form)
    for square in code_squares(form.paper, form.version):
        _fill_modules(axes, modules, square)


def _draw_grid(axes: "Axes", form: Form) -> None:
    boxes = form_boxes(form)
    for box in boxes:
        _outline_box(axes, box.square)
    for box in boxes:
        if form.order == "box":
            _label_above(axes, box, room=box.square[2] - box.square[0] + 1.5)
        elif box.column == 0 and has_label_column(form):
            _label_beside(axes, box)
        elif box.column == 0:
            _label_above(axes, box, room=60.0)


def _label_beside(axes: "Axes", box: FormBox) -> None:
    x0, y0, _, y1 = box.square
    size = min(6.5, (y1 - y0) * 0.5)
    x, y = x0 - LABEL_COLUMN / 2 - 0.6, (y0 + y1) / 2
    _write(axes, box.label, x, y, size, LABEL_COLUMN - 1.5, _LABEL_COLOUR, "center", "middle")


def _label_above(axes: "Axes", box: FormBox, room: float) -> None:
    x0, y0, _, _ = box.square
    _write(axes, box.label, x0 + 0.6, y0 - 1.0, 2.9, room, _LABEL_COLOUR)


def _draw_header(axes: "Axes", form: Form) -> None:
    left, top = 22.0, 8.0
    _write(axes, "Writer", left, top + 2.6, 2.8, 40, _LABEL_COLOUR)
    if form.writer:
        _write(axes, form.writer, left, top + 8.6, 5.0, 74, _TEXT_COLOUR)
    axes.plot([left, 96.5], [top + 10.4] * 2, color=_LABEL_COLOUR, linewidth=0.25 * _POINTS_A_MM)
    where = "of its row" if form.order == "row" else "below it"
    which = "in every box" if form.order == "row" else "in the box"
    what = "character" if max(map(len, form.classes)) <= 2 else "word"
    lines = (
        f"Write the grey {what} {which} {where}, with a dark pen,",
        "without touching the line. Leave a box empty if you like.",
        "Spoilt? Cross it out from corner to corner, past the line.",
    )
    for number, line in enumerate(lines):
        _write(axes, line, left, top + 16.0 + 3.9 * number, 2.8, 92, _TEXT_COLOUR)
    code = code_squares(form.paper, form.version)[0]
    examples = min(PAPERS[form.paper][0] / 2 + 16.0, code[0] - 38.0)
    for number, caption in enumerate(("written", "empty", "crossed out")):
        _draw_example(axes, examples + 12.0 * number, top + 13.0, caption)


def _draw_example(axes: "Axes", x: float, y: float, caption: str) -> None:
    side = 7.0
    _outline_box(axes, (x, y, x + side, y + side))
    _write(axes, caption, x + side / 2, y + side + 3.0, 2.0, 11.5, _LABEL_COLOUR, "center")
    if caption == "empty":
        return
    turns = np.linspace(0, 2 * np.pi, 40)
    ring = (x + side * (0.5 + 0.2 * np.cos(turns)), y + side * (0.5 + 0.28 * np.sin(turns)))
    pen: dict[str, Any] = {
        "color": _EXAMPLE_COLOUR,
        "linewidth": 0.5 * _POINTS_A_MM,
        "solid_capstyle": "round",
    }
    axes.plot(*ring, **pen)
    if caption == "crossed out":
        low, high = -0.8, side + 0.8
        axes.plot([x + low, x + high], [y + low, y + high], **pen)
        axes.plot([x + low, x + high], [y + high, y + low], **pen)


def _draw_footer(axes: "Axes", form: Form) -> None:
    width, height = PAPERS[form.paper]
    right, bottom = width - 22.0, height - 8.0
    lines = (
        "Photograph the page flat, from above, in even light,",
        "with all eight black markers in the picture.",
    )
    for number, line in enumerate(lines):
        _write(axes, line, right, bottom - 7.2 + 3.9 * number, 2.8, 72, _TEXT_COLOUR, "right")
    number_of = f"page {form.page} of {form.pages}  ·  {form.identity}"
    beside = code_squares(form.paper, form.version)[1][2] + 4.0
    _write(axes, number_of, beside, bottom - 3.3, 2.8, 98.0 - beside, _LABEL_COLOUR)


# --- strokes, squares and letters ---------------------------------------------------------------


def _outline_box(axes: "Axes", square: Square) -> None:
    from matplotlib.patches import Rectangle

    x0, y0, x1, y1 = square
    width = LINE_WIDTH * _POINTS_A_MM
    axes.add_artist(
        Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_BOX_COLOUR, linewidth=width)
    )


def _fill_modules(axes: "Axes", modules: npt.NDArray[np.bool_], square: Square) -> None:
    """Fill the black modules as one path, so that no hairline shows between two of them."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    x0, y0, x1, _ = square
    module = (x1 - x0) / len(modules)
    corner = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    rows, columns = np.nonzero(modules)
    points = np.stack([columns, rows], axis=1)[:, None] + corner
    codes = np.tile([Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY], len(rows))
    outline = Outline(points.reshape(-1, 2) * module + (x0, y0), codes)
    axes.add_artist(PathPatch(outline, facecolor="black", linewidth=0))


def _write(
    axes: "Axes",
    text: str,
    x: float,
    y: float,
    size: float,
    room: float,
    colour: str,
    align: str = "left",
    vertical: str = "baseline",
) -> None:
    """Write a line of text `size` mm high as outlines, narrowed where it exceeds `room` mm."""
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    outline, extent = _outline_text(text, find_font(text), size)
    shrink = min(1.0, room / max(extent.width, 1e-6))
    anchor_x = {"left": 0.0, "center": (extent.x0 + extent.x1) / 2, "right": extent.x1}[align]
    anchor_y = {"baseline": 0.0, "middle": (extent.y0 + extent.y1) / 2}[vertical]
    place = Affine2D().translate(-anchor_x, -anchor_y).scale(shrink, -shrink).translate(x, y)
    axes.add_artist(PathPatch(outline.transformed(place), facecolor=colour, linewidth=0))


@lru_cache(maxsize=1000)  # forms for many writers repeat their texts
def _outline_text(text: str, font: Path, size: float) -> "tuple[Outline, Bbox]":
    """Return the outlines of a text, and the box around them."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    outline = TextPath((0, 0), text, size=size, prop=FontProperties(fname=font))
    return outline, outline.get_extents()


def find_font(text: str) -> Path:
    """Return an installed font that holds every character of the text.

    Raises DataError that names the text and the font to install when there is none.
    """
    points = {ord(character) for character in text if not character.isspace()}
    for path in _font_files():
        if points <= _characters_of(path):
            return path
    lacking = (character for character in text if not _is_covered(ord(character)))
    missing = next(lacking, text.strip()[0])
    raise DataError(
        f"No installed font shows '{text}' (it lacks {unicodedata.name(missing, repr(missing))}). "
        f"Install one that does, such as {suggest_font(missing)}, and run the command again."
    )


def suggest_font(character: str) -> str:
    """Return the name of a free font that holds the character's script."""
    script = unicodedata.name(character, "SYMBOLS").split()[0].split("-")[0]
    if script in _MANY_SCRIPTS:
        return "Noto Sans CJK (Debian: fonts-noto-cjk)"
    return f"Noto Sans {script.title()} (Debian: fonts-noto)"


def _is_covered(point: int) -> bool:
    return any(point in _characters_of(path) for path in _font_files())


@lru_cache
def _font_files() -> tuple[Path, ...]:
    """Return matplotlib's own sans-serif first, then all installed fonts, plain ones first."""
    import matplotlib
    from matplotlib.font_manager import findSystemFonts

    own = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    installed = sorted(map(Path, findSystemFonts()), key=_plainness)
    return own, *installed


def _plainness(path: Path) -> tuple[bool, bool, str]:
    name = path.name.lower()
    styled = any(word in name for word in ("bold", "italic", "oblique", "light", "black", "mono"))
    return "sans" not in name, styled, name


@cache
def _characters_of(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (RuntimeError, OSError):  # a bitmap or broken font
        return frozenset()
