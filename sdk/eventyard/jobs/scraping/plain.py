"""Text whose digits, spaces and dashes are the plain ones, whatever it is set in."""

from __future__ import annotations

import unicodedata
from typing import Final

_FULL_WIDTH: Final = {"＋": "+", "（": "(", "）": ")", "．": ".", "／": "/"}  # noqa: RUF001


class _Plain(dict[int, str]):
    """What stands for a character; looked up once each."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _plain(chr(code))
        return found


def _plain(character: str) -> str:
    if character == "\N{MINUS SIGN}":
        return "-"
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case "Cf":  # directions, joints, soft hyphens: nobody sees them
            return ""
    return _FULL_WIDTH.get(character, character)


_TABLE: Final = _Plain()


def plain(text: str) -> str:
    """Return a text of the same letters, in which numbers are looked for."""
    return text if text.isascii() else text.translate(_TABLE)
