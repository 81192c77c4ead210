from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.contacts import Contacts, find
from eventyard.jobs.scraping.redaction import Redaction

MASK, HASH = Redaction(), Redaction("hash", b"a secret")
FOUND = Contacts(("ada@example.com", "bo@example.org"), ("+49301234567", "0301234567"))


def test_masked_contacts_show_little():
    assert MASK.contacts(FOUND) == Contacts(
        ("a***@example.com", "b***@example.org"), ("+49*******67", "030*****67")
    )


def test_hashed_contacts_show_nothing_and_can_be_compared():
    hashed = HASH.contacts(FOUND)
    for shown in (*hashed.emails, *hashed.phones):
        assert re.fullmatch("(email|phone):[0-9a-f]{32}", shown)
    assert hashed == Redaction("hash", b"a secret").contacts(FOUND)
    assert not set(hashed.emails) & set(
        Redaction("hash", b"another").contacts(FOUND).emails
    )
    assert "secret" not in repr(HASH)


def test_contacts_that_look_alike_are_one():
    found = Contacts(("ada@example.com", "alan@example.com"), ())
    assert MASK.contacts(found).emails == ("a***@example.com",)
    assert len(HASH.contacts(found).emails) == 2


def test_texts_lose_their_contacts_and_nothing_else():
    text = "Ada <ada@example.com>, Tel. 030 1234567 / 040 7654321, 15.01.2024, 12.50 €"
    assert MASK.value(text) == (
        "Ada <a***@example.com>, Tel. 030*****67 / 040*****21, 15.01.2024, 12.50 €"
    )
    assert MASK.value("nothing here") == "nothing here"


def test_json_loses_its_contacts_however_they_are_written():
    value = {
        "@type": "Person",
        "email": "mailto:ada@example.com",
        "telephone": ["5551234567", 12345678],
        "faxNumber": "12 34 56",
        "contactPoint": [{"telephone": "+49 30 1234567", "email": None}],
        "description": "Write to ada@example.com",
        "ada@example.com": 1,
        "birthDate": "1815-12-10",
        "n": 1.5,
    }
    seen = MASK.value(value)
    assert seen == {
        "@type": "Person",
        "email": "mailto:a***@example.com",
        "telephone": ["555*****67", "123***78"],
        "faxNumber": "12 ***56",
        "contactPoint": [{"telephone": "+49*******67", "email": None}],
        "description": "Write to a***@example.com",
        "a***@example.com": 1,
        "birthDate": "1815-12-10",
        "n": 1.5,
    }


_TEXTS = st.lists(
    st.sampled_from(
        [
            "ada@example.com",
            "+49 30 1234567",
            "030 1234567",
            " ",
            ", ",
            "\n",
            "x",
            "Tel ",
        ]
    )
).map("".join)


@given(_TEXTS)
def test_what_is_found_in_a_text_is_not_found_behind_redaction(text):
    found = find(text)
    for redaction in (MASK, HASH):
        behind = find(redaction.value(text))
        assert not set(found.phones) & set(behind.phones)
        assert not set(found.emails) & set(behind.emails)
