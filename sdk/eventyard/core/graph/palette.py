"""Colours: of namespaces, and of the text that stands on them."""

from __future__ import annotations

import re
from colorsys import hls_to_rgb
from typing import Final
from zlib import crc32

from eventyard.core.graph.model import UNKNOWN

#: The fill of an event whose namespace nobody knows.
UNKNOWN_FILL: Final = "#e0e0e0"
AGENT_FILL: Final = "#ffcc80"
NAMESPACE_COLOURS: Final = {
    "bot_lifecycle": "#81c784",
    "market_data": "#64b5f6",
    "indicator": "#9575cd",
    "internal": "#ba68c8",
    "capital": "#ffd54f",
    "pool": "#ffb74d",
    "position": "#ff8a65",
    "exchange": "#4dd0e1",
    "command": "#a1887f",
    "database": "#90a4ae",
    "exit_strategy": "#aed581",
    "query": "#81d4fa",
    "trading": "#4caf50",
    "risk": "#ff9800",
    "monitoring": "#2196f3",
    "commands": "#9c27b0",
    "execution": "#f44336",
    UNKNOWN: UNKNOWN_FILL,
}
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
# Below this share of full light, sRGB is linear.
_DIM = 0.04045
_DARK, _LIGHT = "#000000", "#ffffff"


def namespace_colour(namespace: str) -> str:
    """
    Return the fill of a namespace, `#rrggbb`.

    A namespace without a colour of its own gets one from its name: the same
    everywhere, light enough for dark text.
    """
    known = NAMESPACE_COLOURS.get(namespace)
    if known is not None:
        return known
    mark = crc32(namespace.encode("utf-8", "replace"))
    hue = (mark & 0xFFFF) / 0x10000
    lightness = 0.68 + (mark >> 16 & 0xFF) / 0xFF * 0.12
    saturation = 0.45 + (mark >> 24) / 0xFF * 0.25
    red, green, blue = hls_to_rgb(hue, lightness, saturation)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def text_colour(fill: str) -> str:
    """
    Return black or white, whichever reads better on a fill.

    One of the two has a contrast of at least 4.58 : 1 with any colour. A colour by
    name counts as a light one.
    """
    if _HEX.fullmatch(fill) is None:
        return _DARK
    dark, light = contrast(fill, _DARK), contrast(fill, _LIGHT)
    return _DARK if dark >= light else _LIGHT


def contrast(one: str, other: str) -> float:
    """Return the contrast of two `#rrggbb` or `#rgb`, as WCAG 2 counts it: 1 to 21."""
    first, second = sorted((_luminance(one), _luminance(other)))
    return (second + 0.05) / (first + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:]
    if len(digits) == 3:  # noqa: PLR2004
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (_linear(int(digits[at : at + 2], 16)) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share < _DIM else ((share + 0.055) / 1.055) ** 2.4
