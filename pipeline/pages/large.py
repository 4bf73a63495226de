"""Large: the writing of a picture of one to a dozen glyphs that are large in it.

On a page strokes are short and thin beside the paper; what is long is a rule, what is broad a
shadow. Where few glyphs fill the picture, as on a canvas or in a photo from near, they are both.
Ground is then what the rim shows, and a piece is judged by the others. Boxes and pieces are those
of `pipeline.pages.pieces`.
"""

import numpy as np
import numpy.typing as npt

from pipeline.pages import closeups
from pipeline.pages.pieces import (
    Box,
    Coverage,
    Flags,
    Groups,
    Pieces,
    Writing,
    boxes_of,
    enclose,
    find_pieces,
    find_touching,
    size_of,
    weighted_median,
)

MOST = 24  # pieces: a dozen glyphs of two parts; pages of more are read as pages
_LARGE = 1 / 6  # of the longer side: what is as long passes for a rule on a page
# A pen's width over the length of what it writes: .31 of the thickest digit on a canvas; of a
# round blot, as photos show them, .67.
_BROAD = 0.4
_FULL = 0.5  # share of the picture that is inked: of the thickest digits .42
_RIM = 0.02  # of the outermost pixels: a stroke may run out of the picture, a table does all along
_SPECK = 0.01  # of the largest piece: less ink is dust
_DUST = 0.05  # of the ink: so much may lie in specks
_INNER = 0.5  # of its height: what has so tall a piece within it is a frame
_FLAT = 0.4  # height over width of a bar, such as that of a 5
_ABOVE = 0.5  # of the narrower width: what lies above the other so far stands over it
_BETWEEN = 0.45  # of the taller one's height: room between a glyph and its dot or bar
_BESIDE = 0.75  # of its height: between strokes of one glyph side by side
_OVER = 0.2  # of the smaller box: two that overlap so far are one glyph
_LEVEL = 0.2  # height over width of a line below writing: hands draw it aslant
_BEYOND = 0.9  # of the writing's width: so long is a line below it
_LINE = 0.2  # of its height: a neighbour stands on the line within this, a stroke hangs above it
_PLAIN = 1.25  # path over diagonal of a plain stroke; of a plus 1.4


def read_large(picture: npt.NDArray[np.uint8]) -> Writing | None:
    """Read a picture, uint8 (h, w, 3) RGB, of few large glyphs; None where it shows no such."""
    coverage, _ = closeups.cover(picture)
    pieces = find_pieces(coverage)
    big = _find_strokes(pieces)
    if big is None or not _shows_strokes(coverage, pieces, big):
        return None
    strokes = list(map(int, big))
    lines = [piece for piece in strokes if _underlines(pieces, piece, strokes)]
    strokes = [piece for piece in strokes if piece not in lines]
    dropped = [(piece, "a line below writing") for piece in lines]
    groups = _gather(pieces, strokes)
    if len(groups) > 1 and not lines and closeups.shows_one(picture):
        groups = [strokes]
    if len(groups) > 1:  # what is cut off is no glyph, unless it is all that there is
        rim = np.ones(coverage.shape, bool)
        rim[1:-1, 1:-1] = False
        cut = find_touching(pieces, rim)
        dropped += [(p, "at the edge of the paper") for g in groups if cut[g].any() for p in g]
        groups = [group for group in groups if not cut[group].any()]
    if not groups:
        return None
    extent = size_of(boxes_of(pieces, groups)).max(axis=1)
    height = float(extent.max())
    stroke = weighted_median(pieces.strokes[big], pieces.areas[big])
    measures = np.tile([height, stroke], (len(groups), 1)).astype(np.float64)
    return Writing(coverage, pieces, groups, height, stroke, measures, tuple(dropped))


def _find_strokes(pieces: Pieces) -> npt.NDArray[np.intp] | None:
    """Return the pieces that are no specks; None where they are many, or few beside the specks."""
    total = int(pieces.areas.sum())
    if len(pieces.areas) == 0 or total > _FULL * pieces.labels.size:
        return None
    # A dot is as wide as the strokes are.
    stroke = weighted_median(pieces.strokes, pieces.areas)
    sized = pieces.sizes.max(axis=1) >= 0.7 * stroke
    big = np.flatnonzero(sized & (pieces.areas >= _SPECK * pieces.areas.max()))
    if not 0 < len(big) <= MOST or pieces.areas[big].sum() < (1 - _DUST) * total:
        return None
    return big


def _shows_strokes(coverage: Coverage, pieces: Pieces, big: npt.NDArray[np.intp]) -> bool:
    """Tell whether pieces are large, and drawn by a pen on an even ground."""
    extent, areas = pieces.sizes[big].max(axis=1), pieces.areas[big]
    large = extent >= _LARGE * max(coverage.shape)
    if areas[large].sum() < 0.5 * areas.sum():
        return False
    is_slim: Flags = pieces.strokes[big] < _BROAD * extent
    if closeups.count_rim(coverage) >= _RIM or not is_slim[large].all():
        return False
    return not any(_is_frame(coverage, pieces, int(piece), big) for piece in big[large])


def _is_frame(coverage: Coverage, pieces: Pieces, piece: int, others: npt.NDArray[np.intp]) -> bool:
    """Tell whether a piece is drawn around writing, or is a grid for it."""
    x0, y0, x1, y1 = box = pieces.boxes[piece]
    boxes, high = pieces.boxes[others], pieces.sizes[others, 1]
    within = (boxes[:, :2] > box[:2]).all(axis=1) & (boxes[:, 2:] < box[2:]).all(axis=1)
    if (within & (high > _INNER * (y1 - y0))).any():
        return True
    own = np.where(pieces.labels[y0:y1, x0:x1] == piece + 1, coverage[y0:y1, x0:x1], 0)
    return closeups.count_holes(np.pad(own.astype(np.uint8), 1)) > closeups.HOLES


def _gather(pieces: Pieces, strokes: list[int]) -> Groups:
    """Gather strokes to glyphs: those that overlap, stand over each other, or hang beside one."""
    groups = [[piece] for piece in sorted(strokes, key=lambda piece: -int(pieces.areas[piece]))]
    joined = True
    while joined:
        joined = False
        for first, second in ((a, b) for a in groups for b in groups if a is not b):
            if _make_one(pieces, first, second):
                first += second
                groups = [group for group in groups if group is not second]
                joined = True
                break
    return groups


def _make_one(pieces: Pieces, first: list[int], second: list[int]) -> bool:
    """Tell whether the second group of strokes belongs to the glyph that the first begins."""
    box, part = enclose(pieces.boxes[first]), enclose(pieces.boxes[second])
    (wide, high), (width, height) = size_of(box), size_of(part)
    across, down = np.minimum(part[2:], box[2:]) - np.maximum(part[:2], box[:2])
    if min(across, down) > 0 and across * down > _OVER * min(wide * high, width * height):
        return True
    tall = max(high, height)
    if across > _ABOVE * min(wide, width):
        if _is_flat(box) and _is_flat(part):
            return bool(-down < max(wide, width))  # as the bars of an equals sign
        return bool(-down < _BETWEEN * tall and min(high, height) < _BETWEEN * tall)
    hangs = part[3] < box[3] - _LINE * tall and down > _ABOVE * height
    return bool(hangs and -across < _BESIDE * tall and _is_plain(pieces, second, part))


def _is_flat(box: Box) -> bool:
    """Tell whether a box is that of a bar."""
    width, height = size_of(box)
    return bool(height < _FLAT * width)


def _is_plain(pieces: Pieces, group: list[int], box: Box) -> bool:
    """Tell whether a group is a single stroke that goes down, and no minus or plus sign."""
    path = pieces.areas[group].sum() / max(float(pieces.strokes[group].mean()), 1.0)
    return bool(path < _PLAIN * np.hypot(*size_of(box)) and not _is_flat(box))


def _underlines(pieces: Pieces, bar: int, strokes: list[int]) -> bool:
    """Tell whether a stroke is a line below all others, and wider than what stands on it."""
    others = [piece for piece in strokes if piece != bar]
    if not others or all(_is_flat(pieces.boxes[piece]) for piece in others):
        return False
    box, written = pieces.boxes[bar], enclose(pieces.boxes[others])
    width, height = size_of(box)
    return bool(
        height < _LEVEL * width
        and box[1] > written[3] - _LINE * (written[3] - written[1])
        and width > _BEYOND * size_of(written)[0]
    )
