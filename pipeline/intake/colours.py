"""A decoded picture of any of PIL's modes -> uint8 (H, W) grey or (H, W, 3) RGB."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from pipeline.intake import levels

Pixels = npt.NDArray[np.uint8]

SIGNIFICANT = "highest"  # in an image's info: by a PNG's sBIT
# TIFF 6.0, section 8
_BITS_PER_SAMPLE = 258
_MAX_SAMPLE_VALUE = 281
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def to_pixels(image: Image.Image) -> Pixels:
    """Return a decoded picture of any mode as uint8 (H, W) or (H, W, 3) RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _scale_to_uint8(image)
    grey = _is_grey(image)
    if image.has_transparency_data:
        image = _lay_on_white(image)
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    mode = "L" if grey else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode))


def _is_grey(image: Image.Image) -> bool:
    if image.mode in {"P", "PA"}:
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in {"1", "L", "LA", "La"}


def _lay_on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # grey multiplied with its alpha, which PIL converts to this only
        image = image.convert("LA")
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
    return paper


def _scale_to_uint8(image: Image.Image) -> Pixels:
    """Return a grey picture of more than 8 bits as uint8 (H, W), by the module's rule."""
    values = np.array(image)
    tags = getattr(image, "tag_v2", {})
    if values.dtype.itemsize == 2:
        pixels = levels.scale_whole(values, levels.find_highest(values, _read_highest(image)))
    else:
        pixels = levels.scale_by_values(values)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # PIL inverts 8-bit TIFFs only
        pixels = 255 - pixels
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        pixels[values == transparent] = 255
    result: Pixels = pixels
    return result


def _read_highest(image: Image.Image) -> int:
    """Return the highest value that a file of 16 bits says it may hold, 0 where it says nothing."""
    if not isinstance(image, TiffImageFile):
        return int(image.info.get(SIGNIFICANT, 0))
    if image.tag_v2.get(_BITS_PER_SAMPLE) == (12,):
        return 4095
    highest = image.tag_v2.get(_MAX_SAMPLE_VALUE, 0)
    highest = highest[0] if isinstance(highest, tuple) and highest else highest
    return highest if isinstance(highest, int) else 0


def note_depth(image: Image.Image) -> str:
    """Return what is to be told of a decoded picture's scale, "" for nothing."""
    values = np.array(image) if image.mode.startswith("I;16") else np.zeros(1, np.uint32)
    if values.dtype.itemsize != 2:
        return ""
    highest = levels.find_highest(values, _read_highest(image))
    return "" if highest == 65535 else f"grey of 16 bits was read as 0 to {highest:,}"
