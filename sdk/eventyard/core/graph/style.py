"""How a drawing looks, as far as one may choose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventyard.core.errors import InvalidRequestError
from eventyard.core.graph.palette import namespace_colour

SHAPES: Final = frozenset(
    {
        *("box", "ellipse", "oval", "circle", "egg", "triangle", "diamond"),
        *("trapezium", "parallelogram", "house", "pentagon", "hexagon", "septagon"),
        *("octagon", "doublecircle", "doubleoctagon", "tripleoctagon", "invtriangle"),
        *("invtrapezium", "invhouse", "rect", "rectangle", "square", "star"),
        *("underline", "cylinder", "note", "tab", "folder", "box3d", "component"),
        *("cds", "signature", "rarrow", "larrow", "plaintext", "plain", "none"),
    }
)
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})|[A-Za-z]{1,30}[0-9]{0,3}")
# Graphviz writes a font's name into an attribute as it is.
_FONT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,_-]{0,79}")


@dataclass(frozen=True, slots=True)
class Style:
    """
    Colours and shapes of namespaces, the font, and the main flow.

    `colours` and `shapes` are by namespace; what they leave out has a colour from its
    name and the shape of its kind. `main_flow` holds the edges of the simplified
    graph as pairs of names (`START` and `END` among them) when it is not computed.

    Raises:
        InvalidRequestError: a colour, shape or font that Graphviz does not know, or
            that could be more than that.
    """

    colours: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    font: str = "Arial"
    main_flow: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        _check("colour", self.colours.values(), _COLOUR.fullmatch)
        _check("shape", self.shapes.values(), SHAPES.__contains__)
        _check("font", [self.font], _FONT.fullmatch)
        # A configuration file has lists where tuples are meant.
        object.__setattr__(self, "main_flow", tuple(map(_pair, self.main_flow)))

    def colour(self, namespace: str) -> str:
        """Return the fill of a namespace's events."""
        return self.colours.get(namespace) or namespace_colour(namespace)


def _pair(value: Sequence[str]) -> tuple[str, str]:
    match value:
        case [str() as first, str() as second]:
            return first, second
    raise InvalidRequestError("main_flow must be a list of pairs of names.")


def _check(what: str, values: Iterable[object], knows: Callable[[str], object]) -> None:
    for value in values:
        if not isinstance(value, str) or not knows(value):
            raise InvalidRequestError(
                f"{str(value)[:64]!r} is not a {what} to draw in."
            )


PLAIN: Final = Style()
