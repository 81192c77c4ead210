from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping import markup
from tests.unit.jobs import hostile

_LINKS = "".join(f'<li><a href="/{n}" rel="x">{n}</a> ' for n in range(5_000))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<p>one</p>",
        "<font size=1>" * 1_000,
        f"<ul>{_LINKS[:60_000]}</ul>",
        f"<p>{'word ' * 50_000}</p>",
        f"<script>{'a = b / c; ' * 50_000}</script>",
    ],
)
def test_sound_pages_are_left_as_they_are(text):
    assert markup.pieces(text) == ([text], False)


def test_large_pages_are_cut_before_tags_and_nothing_is_lost():
    found, cut = markup.pieces(_LINKS)
    assert len(found) == 2
    assert not cut
    assert "".join(found) == _LINKS
    assert all(piece.startswith("<") for piece in found)


@given(st.lists(st.sampled_from(["<p>", "<", "x", ">", "</p>"])).map("".join))
def test_pieces_make_up_the_whole(text):
    most = markup.MOST_TAGS
    markup.MOST_TAGS = 3
    try:
        found, cut = markup.pieces(text)
    finally:
        markup.MOST_TAGS = most
    assert text.startswith("".join(found))
    assert cut == (text.count("<") > 3 * markup.MOST_PIECES)
    assert cut or "".join(found) == text


@pytest.mark.parametrize("kind", hostile.PAGES)
def test_hostile_markup_is_bounded_in_all_that_takes_time(kind):
    found, _ = markup.pieces(hostile.PAGES[kind](600_000))
    assert len(found) <= markup.MOST_PIECES
    for piece in found:
        # Lines are put between cells whose table was cut.
        assert piece.count("<") <= 2 * markup.MOST_TAGS
        tags = markup._TAG.findall(piece)
        names = set(re.split(r"[\s/\"'=]+", " ".join(tags)))
        assert len(names) < 40_000
        emphasis = {tag for tag in tags if re.match(r"<(font|b|i)[\s/]", tag)}
        assert len(emphasis) < 10
        assert len(re.findall(r"<body[\s>]", piece)) <= 8
        assert max((len(tag.split()) for tag in tags), default=0) < 40_000


def test_links_and_what_is_said_of_them_outlast_a_crowd_of_attributes():
    crowd = "".join(f"<p a{n}=1>x</p>" for n in range(20_000))
    sound = (
        '<a class="y" href="/1" onclick="x()" rel=nofollow>one</a>'
        "<meta NAME='robots' x=y content=\"noindex, it's\">"
        '<a data-href="/no"href="/2">two</a><br/><b>three</b>'
    )
    (first, *_), _ = markup.pieces(sound + crowd)
    assert first.startswith(
        '<a href="/1" rel=nofollow>one</a>'
        "<meta NAME='robots' content=\"noindex, it's\">"
        '<a href="/2">two</a><br/><b>three</b><p>x</p><p>x</p>'
    )
