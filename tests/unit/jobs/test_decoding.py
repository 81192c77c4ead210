from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.decoding import decode, encoding

TEXT = "Grüße aus Łódź"


@pytest.mark.parametrize(
    ("body", "content_type", "name"),
    [
        (TEXT.encode(), "", "utf-8"),
        (TEXT.encode(), "text/html; charset=utf-8", "utf-8"),
        (TEXT.encode("iso8859-2"), "text/html;charset='ISO-8859-2'", "iso8859-2"),
        (TEXT.encode("cp1250"), 'text/html; x=y; CHARSET = "windows-1250"', "cp1250"),
        (codecs.BOM_UTF8 + TEXT.encode(), "", "utf-8"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "", "utf-16-le"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "", "utf-16-be"),
        # The mark at the beginning knows better than the header.
        (codecs.BOM_UTF8 + TEXT.encode(), "text/html; charset=iso-8859-1", "utf-8"),
        (TEXT.encode(), "text/html; charset=nonsense", "utf-8"),
        (TEXT.encode(), "text/html; charset=", "utf-8"),
        # What Python could decode, and no page is in.
        (TEXT.encode(), "text/html; charset=rot13", "utf-8"),
        (TEXT.encode(), "text/html; charset=zip", "utf-8"),
        (TEXT.encode(), "text/html; charset=utf-7", "utf-8"),
        (TEXT.encode(), "text/html; charset=idna", "utf-8"),
        (TEXT.encode(), "text/html; charset=unicode_escape", "utf-8"),
    ],
)
def test_the_encoding_of_a_page_is_found(body, content_type, name):
    assert decode(body, content_type) == (TEXT, name)


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="iso-8859-2">',
        "<META CHARSET=iso-8859-2>",
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">',
        '<!-- a comment --><html><head><title>x</title><meta charset = "latin2">',
        '<?xml version="1.0" encoding="iso-8859-2"?>',
    ],
)
def test_a_page_says_its_encoding_itself(head):
    text, name = decode((head + TEXT).encode("iso8859-2"))
    assert text.endswith(TEXT)
    assert name == "iso8859-2"


def test_the_header_knows_better_than_the_page():
    body = ('<meta charset="iso-8859-2">' + TEXT).encode()
    text, name = decode(body, "text/html; charset=utf-8")
    assert text.endswith(TEXT)
    assert name == "utf-8"


def test_a_page_that_says_utf_16_in_letters_of_one_byte_is_utf_8():
    body = ('<meta charset="utf-16">' + TEXT).encode()
    assert decode(body)[0].endswith(TEXT)


def test_latin_1_is_what_browsers_take_it_for():
    assert decode("100 €".encode("cp1252"), "text/html; charset=iso-8859-1") == (
        "100 €",
        "cp1252",
    )
    assert encoding("us-ascii") == "cp1252"
    assert encoding("GB2312") == "gb18030"
    assert encoding("Shift_JIS") == "cp932"


def test_what_is_no_utf_8_and_says_nothing_is_windows_1252():
    assert decode("Grüße für 5 €".encode("cp1252")) == ("Grüße für 5 €", "cp1252")


def test_a_page_cut_within_a_letter_stays_what_it_was():
    text, name = decode(TEXT.encode()[:-1])
    assert name == "utf-8"
    assert text == TEXT[:-1] + "\ufffd"


@given(st.binary(), st.text())
def test_no_bytes_and_no_header_break_the_decoding(body, content_type):
    text, _ = decode(body, content_type)
    text.encode()


@given(
    st.binary(max_size=50),
    st.sampled_from([b'<meta charset="%s">', b"<?xml version='1' encoding='%s'?>"]),
    st.sampled_from(sorted(set(__import__("encodings.aliases").aliases.aliases))),
)
def test_no_encoding_that_python_knows_breaks_the_decoding(body, form, label):
    text, _ = decode(form % label.encode() + body)
    text.encode()
