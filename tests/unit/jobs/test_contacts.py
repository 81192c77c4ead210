from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.contacts import MOST, Contacts, find
from tests.unit.jobs import hostile

_WORDS = """ada @ example .com .com. a.b a..b - _ + ( ) / . , ; : 0 00 030 1 12 123 1234567
+49 (0) ext x12 Tel Fax: 2024-01-15 192.168.0.1 % %20 mailto: tel: ? = & < > ' " cc= //
müller.de 日本 ٣ € # | é"""
_MORE = [" ", "\n", "\0", "\u200b", "\ud800", "\uff15", "\uff0b", "\u2013"]
texts = st.lists(st.sampled_from([*_WORDS.split(), *_MORE])).map("".join)


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        # The faults that there were.
        ("Write to bob@example.com.", ["bob@example.com"]),
        ("logo@2x.png", []),
        ("(bob@example.com)", ["bob@example.com"]),
        # Where it stands.
        ("bob@example.com, ada@example.org;bo@example.net", None),
        ("<bob@example.com>", ["bob@example.com"]),
        ('"bob@example.com"', ["bob@example.com"]),
        ("'bob@example.com'", ["bob@example.com"]),
        ("[bob@example.com]", ["bob@example.com"]),
        ("Mail:bob@example.com", ["bob@example.com"]),
        ("E-Mail=bob@example.com!", ["bob@example.com"]),
        ("bob@example.com...", ["bob@example.com"]),
        ("...bob@example.com", ["bob@example.com"]),
        ("-bob@example.com", ["bob@example.com"]),
        ("bob@example.com?", ["bob@example.com"]),
        ("bob@example.com/path", ["bob@example.com"]),
        ("bob@example.com:", ["bob@example.com"]),
        ("Ask bob@example.com.Or call", ["bob@example.com"]),
        ("one\nbob@example.com\ntwo", ["bob@example.com"]),
        ("%20bob@example.com", ["bob@example.com"]),
        # How it is written.
        ("Bob.Smith@Example.COM", ["bob.smith@example.com"]),
        ("bob+shop@example.com", ["bob+shop@example.com"]),
        ("bob_smith-1@mail.example.co.uk", ["bob_smith-1@mail.example.co.uk"]),
        ("o'brien@example.com", ["o'brien@example.com"]),
        ("12345@example.com", ["12345@example.com"]),
        ("bob@ex-ample.com", ["bob@ex-ample.com"]),
        ("bob@example.photography", ["bob@example.photography"]),
        ("info@müller.de", ["info@xn--mller-kva.de"]),
        ("info@xn--mller-kva.de", ["info@xn--mller-kva.de"]),
        ("jürgen@example.com", ["jürgen@example.com"]),
        ("用户@例子.中国", ["用户@xn--fsqu00a.xn--fiqs8s"]),
        ("b\u200bo\u00adb@exam\u2060ple.com", ["bob@example.com"]),
        (f"{'a' * 64}@example.com", [f"{'a' * 64}@example.com"]),
        # What is none.
        ("bob@example", []),
        ("bob@localhost", []),
        ("@example.com", []),
        ("bob@", []),
        ("bob@.com", []),
        ("bob@-example.com", []),
        ("bob@example-.com", []),
        ("bob@example..com", []),
        ("bob..smith@example.com", []),
        ("bob.@example.com", []),
        ("bob@192.168.0.1", []),
        ("react@18.2.0", []),
        ("bob@example.c", []),
        ("bob@example.c0m", []),
        ("photo@3x.JPG", []),
        ("style@1.5.css", []),
        ("app@latest.js", []),
        ("bob@example.com@example.org", []),
        ("@bob@mastodon.example", []),
        ("https://bob:secret@example.com/", []),
        ("ftp://anonymous@ftp.example.com", []),
        ("git@github.com:octo/shop.git", []),
        (f"{'a' * 65}@example.com", []),
        (f"bob@{'a' * 64}.com", []),
        (f"bob@{'a.' * 130}com", []),
        # Who hides is left alone.
        ("bob [at] example [dot] com", []),
        ("bob(at)example.com", []),
        ("bob AT example DOT com", []),
        ("bob\uff20example.com", []),
        ("bob @ example.com", []),
        ("moc.elpmaxe@bob", []),
    ],
)
def test_emails_in_text(text, emails):
    if emails is None:
        emails = ["ada@example.org", "bo@example.net", "bob@example.com"]
    assert list(find(text).emails) == emails


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        # With a country.
        ("+49 30 1234567", ["+49301234567"]),
        ("+49 (0)30 1234567", ["+49301234567"]),
        ("+49 (0) 30 / 1234567", ["+49301234567"]),
        ("+49-30-1234567", ["+49301234567"]),
        ("+49.30.1234567", ["+49301234567"]),
        ("+49 30 1234567-89", ["+4930123456789"]),
        ("+49301234567", ["+49301234567"]),
        ("(+49) 30 1234567", ["+49301234567"]),
        ("+ 49 30 1234567", ["+49301234567"]),
        ("+(49) 30 1234567", ["+49301234567"]),
        ("0049 30 1234567", ["+49301234567"]),
        ("0049 (0) 30 1234567", ["+49301234567"]),
        ("00 49 30 1234567", ["+49301234567"]),
        ("+1 (555) 123-4567", ["+15551234567"]),
        ("+1.5551234567", ["+15551234567"]),
        ("1-800-555-1234", ["+18005551234"]),
        ("1 (800) 555-1234", ["+18005551234"]),
        ("+44 20 7946 0958", ["+442079460958"]),
        ("+33 1 23 45 67 89", ["+33123456789"]),
        ("+852 1234 5678", ["+85212345678"]),
        ("+290 12345", ["+29012345"]),
        # Of the country.
        ("030 1234567", ["0301234567"]),
        ("030/1234567", ["0301234567"]),
        ("(030) 1234567", ["0301234567"]),
        ("(0)30 1234567", ["0301234567"]),
        ("0301234567", ["0301234567"]),
        ("01 23 45 67 89", ["0123456789"]),
        ("01.23.45.67.89", ["0123456789"]),
        ("020 7946 0958", ["02079460958"]),
        ("0171-1234567", ["01711234567"]),
        ("0800 123 4567", ["08001234567"]),
        ("(555) 123-4567", ["5551234567"]),
        ("555-123-4567", ["5551234567"]),
        ("555.123.4567", ["5551234567"]),
        ("555 123 4567", ["5551234567"]),
        # Said to be one.
        ("Tel: 12 34 56 78", ["12345678"]),
        ("Tel.: 912 345 678", ["912345678"]),
        ("Tel.-Nr.: 89123456", ["89123456"]),
        ("Telefon 89 12 34 56", ["89123456"]),
        ("Phone number: 555 1234567", ["5551234567"]),
        ("Call us at 8001234567", ["8001234567"]),
        ("Tél. 612345678", ["612345678"]),
        ("☎ 912345678", ["912345678"]),
        ("📞912345678", ["912345678"]),
        ("Fax:0301234567", ["0301234567"]),
        ("Mobile 5551234567", ["5551234567"]),
        ("Telefon\n12 34 56 78", ["12345678"]),
        # Where it stands.
        ("Call +49 30 1234567.", ["+49301234567"]),
        ("Call (+49 30 1234567)", ["+49301234567"]),
        ("Call:+49301234567,now", ["+49301234567"]),
        ("+49 30 1234567 ext. 12", ["+49301234567"]),
        ("+1 555-123-4567 x12", ["+15551234567"]),
        ("+1 555-123-4567x12", ["+15551234567"]),
        ("+49 30 1234567 Fax", ["+49301234567"]),
        ("030 1234567Fax", ["0301234567"]),
        ("+49 30 1234567 / +49 30 7654321", ["+49301234567", "+49307654321"]),
        ("+49 30 1234567 +49 30 7654321", ["+49301234567", "+49307654321"]),
        ("030 1234567 / 040 7654321", ["0301234567", "0407654321"]),
        ("030 1234567 - 040 7654321", ["0301234567", "0407654321"]),
        ("030 1234567, 040 7654321", ["0301234567", "0407654321"]),
        ("030 1234567\n040 7654321", ["0301234567", "0407654321"]),
        ("Berlin,030 1234567", ["0301234567"]),
        # How it is set.
        ("+49\u00a030\u20091234567", ["+49301234567"]),
        ("+49\u201130\u20131234567", ["+49301234567"]),
        ("+49 30 123\u200b4567", ["+49301234567"]),
        ("\u202a+49 30 1234567\u202c", ["+49301234567"]),
        (
            "\uff0b\uff14\uff19 \uff13\uff10 \uff11\uff12\uff13\uff14\uff15\uff16\uff17",
            None,
        ),
        ("٠٣٠ ١٢٣٤٥٦٧", ["0301234567"]),
        # Dates and times.
        ("2024-01-15 10", []),
        ("2024-01-15 10:30:00", []),
        ("2024-01-15T10:30:00+01:00", []),
        ("15.01.2024", []),
        ("05.12.2023 08.30", []),
        ("01/15/2024", []),
        ("01-02-2023", []),
        ("01 02 2023 10", []),
        ("0 2023-01-02 1", []),
        ("2023/01/02 - 2024/01/02", []),
        ("2019 2020 2021", []),
        ("2019-2020", []),
        ("09.00 - 17.30", []),
        ("09.00-17.30 0", []),
        ("08:00-18:00", []),
        ("1700000000", []),
        # Addresses of machines, versions, places, amounts.
        ("192.168.100.200", []),
        ("010.123.123.123", []),
        ("10.15.7.12345", []),
        ("v1.23.4567890", []),
        ("52.520008, 13.404954", []),
        ("52.520008 13.404954", []),
        ("-33.868820", []),
        ("+52.520008", []),
        ("0.12345678", []),
        ("1.299.000,00 €", []),
        ("1 299 000 000", []),
        ("0 800 000 000 €", []),
        ("$ 1,299,000.00", []),
        ("€01234567890", []),
        ("012 345 6789 EUR", []),
        ("01 234 567 890 km", []),
        ("0123456789 %", []),
        # Cards, accounts, goods, ids.
        ("4111 1111 1111 1111", []),
        ("4111-1111-1111-1111", []),
        ("1234567890123456", []),
        ("12345678", []),
        ("5551234567", []),
        ("0000000000", []),
        ("DE89 3704 0044 0532 0130 00", []),
        ("ISBN 978-3-16-148410-0", []),
        ("ISBN 0306406152", []),
        ("0-306-40615-2", []),
        ("012345678905", []),
        ("4006381333931", []),
        ("Order no. 0123456789", []),
        ("ID: 0123456789", []),
        ("IBAN: 0123 4567 89", []),
        ("#0123456789", []),
        ("a0123456789", []),
        ("0123456789ab", []),
        ("0123456789_1", []),
        ("550e8400-e29b-41d4-a716-446655440000", []),
        ("https://example.com/0123456789", []),
        ("?id=0123456789", []),
        ("order-0123456789", []),
        ("01 02 03 04", []),
        # Too short, too long, no country.
        ("+49 30 12", []),
        ("030 1234", []),
        ("110", []),
        ("+1234567890123456", []),
        ("030 1234567 040 7654321", []),
        ("+0301234567", []),
        ("0000123456789", []),
    ],
)
def test_phones_in_text(text, phones):
    assert list(find(text).phones) == (["+49301234567"] if phones is None else phones)


@pytest.mark.parametrize(
    ("link", "emails", "phones"),
    [
        ("mailto:bob@example.com", ["bob@example.com"], []),
        ("MAILTO:Bob@Example.com", ["bob@example.com"], []),
        (" mailto: bob@example.com ", ["bob@example.com"], []),
        ("mailto://bob@example.com", ["bob@example.com"], []),
        ("mailto:mailto:bob@example.com", ["bob@example.com"], []),
        ("mailto:bob%40example.com", ["bob@example.com"], []),
        ("mailto:bob%2Bshop@example.com", ["bob+shop@example.com"], []),
        ("mailto:bob+shop@example.com", ["bob+shop@example.com"], []),
        ("mailto:bob&co@example.com", ["bob&co@example.com"], []),
        ("mailto:bob@example.com?subject=ada@example.com", ["bob@example.com"], []),
        ("mailto:a@x.de,b@x.de;c@x.de", ["a@x.de", "b@x.de", "c@x.de"], []),
        ("mailto:a@x.de%2C%20b@x.de", ["a@x.de", "b@x.de"], []),
        ("mailto:a@x.de?CC=b@x.de&bcc=c@x.de,d@x.de", None, []),
        ("mailto:a@x.de?subject=x&amp;cc=b@x.de", ["a@x.de", "b@x.de"], []),
        ("mailto:?to=a@x.de", ["a@x.de"], []),
        ("mailto:Bob%20Smith%20%3Cbob@x.de%3E", ["bob@x.de"], []),
        ("mailto:bob@example.com.", ["bob@example.com"], []),
        ("mailto:info@m%C3%BCller.de", ["info@xn--mller-kva.de"], []),
        ("mailto:?subject=Look&body=http://example.com", [], []),
        ("mailto:", [], []),
        ("mailto:bob", [], []),
        ("mailto:bob@2x.png", [], []),
        ("mailto:%ff%00", [], []),
        ("tel:+49301234567", [], ["+49301234567"]),
        ("TEL:+49-30-1234567", [], ["+49301234567"]),
        ("tel://+49301234567", [], ["+49301234567"]),
        ("tel:%2B49%2030%201234567", [], ["+49301234567"]),
        ("tel:+49 (0)30 / 1234567", [], ["+49301234567"]),
        ("tel:0049301234567", [], ["+49301234567"]),
        ("tel:030 1234567", [], ["0301234567"]),
        ("tel:5551234567", [], ["5551234567"]),
        ("tel:1-800-555-1234", [], ["+18005551234"]),
        ("tel:+15551234567;ext=12", [], ["+15551234567"]),
        ("tel:+15551234567,,12#", [], ["+15551234567"]),
        ("tel:+15551234567p12", [], ["+15551234567"]),
        ("tel:+15551234567x12", [], ["+15551234567"]),
        ("tel:030-1234567;phone-context=+49", [], ["0301234567"]),
        ("sms:+15551234567?body=hi", [], ["+15551234567"]),
        ("callto:+15551234567", [], ["+15551234567"]),
        ("callto:bob.smith", [], []),
        ("tel:110", [], []),
        ("tel:1-800-FLOWERS", [], []),
        ("tel:+1234567890123456", [], []),
        ("tel:", [], []),
        ("tel:+", [], []),
    ],
)
def test_contacts_in_links(link, emails, phones):
    if emails is None:
        emails = ["a@x.de", "b@x.de", "c@x.de", "d@x.de"]
    assert find("", [link]) == Contacts(tuple(emails), tuple(phones))


def test_contacts_are_sorted_and_each_there_once():
    text = "bo@x.de ada@x.de BO@x.de +49 30 1234567, 030 1234567, 0049 30 1234567"
    found = find(text, ["mailto:bo@x.de", "tel:+49301234567"])
    assert found.emails == ("ada@x.de", "bo@x.de")
    assert found.phones == ("+49301234567", "0301234567")


def test_of_very_many_only_so_many_are_kept():
    text = "\n".join(f"u{n}@x.de +49 30 {1_000_000 + n}" for n in range(1_000))
    found = find(text)
    assert len(found.emails) == len(found.phones) == MOST


@given(
    texts,
    st.lists(
        st.sampled_from(["mailto:", "tel:", "sms:"]).flatmap(
            lambda scheme: texts.map(scheme.__add__)
        ),
        max_size=3,
    ),
)
def test_whatever_is_written_contacts_have_their_form(text, links):
    found = find(text, links)
    for email in found.emails:
        assert re.fullmatch(r"[^\s@]{1,64}@[a-z0-9.-]+\.[a-z0-9-]{2,63}", email)
        assert email == email.lower()
    for phone in found.phones:
        assert re.fullmatch(r"\+[1-9][0-9]{7,14}|[0-9]{8,15}", phone)
    assert list(found.emails) == sorted(set(found.emails))


@given(st.text(), st.text())
def test_no_text_makes_finding_fail(text, link):
    find(text, [f"mailto:{link}", f"tel:{link}", link])


@given(texts, texts)
def test_what_stands_on_other_lines_changes_nothing(before, behind):
    text = f"{before}\nada@example.com\n+49 30 1234567\n{behind}"
    found = find(text)
    assert "ada@example.com" in found.emails
    assert "+49301234567" in found.phones


@pytest.mark.parametrize("kind", hostile.PAGES)
def test_long_texts_take_no_longer_than_their_length(kind):
    # Hours, were any of it looked at again and again.
    find(hostile.PAGES[kind](2_000_000), [hostile.PAGES[kind](1_000)])
