"""The text of a page that its readers see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_WITHIN_LINES: Final = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label"
    " mark nobr q rb ruby s samp small span strike strong sub sup time tt u var wbr"
    " -comment -cdata"
)
#: Text goes on through these; at all others a line ends.
_INLINE: Final = frozenset(_WITHIN_LINES.split())
_NO_TEXT: Final = (
    "head script style noscript template title textarea select option datalist svg"
    " math iframe object embed audio video canvas noembed noframes"
)
_UNSEEN: Final = frozenset(_NO_TEXT.split())
_HIDDEN: Final = (
    '[hidden],[style*="display:none" i],[style*="display: none" i],'
    '[style*="visibility:hidden" i],[style*="visibility: hidden" i]'
)


def text_of(tree: LexborHTMLParser) -> str:
    """Return what is seen of a page: a line for each block, single spaces."""
    if tree.body is None:
        return ""
    hidden = frozenset(node.mem_id for node in tree.css(_HIDDEN))
    lines = "".join(_parts(tree.body, hidden)).split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def _parts(root: LexborNode, hidden: frozenset[int]) -> list[str]:
    # Written out, not recursive: pages lie as deep in themselves as they like.
    found: list[str] = []
    node = root
    while True:
        tag = node.tag
        if tag == "-text":
            found.append(_text(node))
        elif tag not in _INLINE:
            found.append("\n")
        inside = None if _is_unseen(node, tag, hidden) else node.first_child
        if inside is not None:
            node = inside
            continue
        behind = _behind(node, root, found)
        if behind is None:
            return found
        node = behind


def _text(node: LexborNode) -> str:
    text = node.text_content or ""
    # How the source is broken into lines says nothing, but in few places.
    return text if "\n" not in text or _is_kept(node) else text.replace("\n", " ")


def _is_kept(node: LexborNode) -> bool:
    outer: LexborNode | None = node
    for _ in range(3):
        outer = outer.parent if outer else None
        if outer and outer.tag == "pre":
            return True
    return False


def _is_unseen(node: LexborNode, tag: str | None, hidden: frozenset[int]) -> bool:
    return tag in _UNSEEN or (bool(hidden) and node.mem_id in hidden)


def _behind(node: LexborNode, root: LexborNode, found: list[str]) -> LexborNode | None:
    """Return the node behind one, and end the lines of the blocks that end."""
    end = root.mem_id
    while node.mem_id != end:
        following = node.next
        if following is not None:
            return following
        parent = node.parent
        if parent is None:
            return None
        node = parent
        if node.tag not in _INLINE:
            found.append("\n")
    return None
