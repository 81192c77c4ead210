"""
Email addresses and phone numbers, in text that readers see and in links.

Rather one too few than one too many: a date taken for a number is worse than a number
missed. Obfuscations ("ada at example dot com") are not undone: who writes so wants to
be found by people alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from eventyard.jobs.scraping.phones import dialled, numbers, phones_in
from eventyard.jobs.scraping.plain import plain

#: More of either on one page is a directory, or a trap.
MOST: Final = 200
_MOST_EMAIL: Final = 254
_MOST_LOCAL: Final = 64
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN: Final = rf"(?:{_LABEL}\.)+(?:xn--[a-z0-9-]{{1,59}}|[^\W\d_]{{2,63}})"
_EMAIL: Final = re.compile(
    rf"(?<![\w.+%'@-])([\w.+%'-]{{1,{_MOST_LOCAL + 6}}}+)@({_DOMAIN})(?![\w@-])",
    re.IGNORECASE,
)
#: In a link an address stands alone, so that it may have all that addresses may.
_LINKED: Final = re.compile(
    rf"([\w.!#$%&'*+/=?^`{{|}}~-]{{1,{_MOST_LOCAL}}})@({_DOMAIN})\.?", re.IGNORECASE
)
_IN_BRACKETS: Final = re.compile(r"<([^<>]*)>")
#: A user's name within an address of the web, or of a repository.
_IN_URL: Final = re.compile(r"//[^\s/@]*\Z")
_REPOSITORY: Final = re.compile(r":\S")
_LOOK_BACK: Final = 100
#: `logo@2x.png`: what ends so is a file.
_FILES: Final = (
    "apng avif bmp css csv docx eot gif heic htm html ico jpeg jpg js json jsx less map"
    " mjs mp3 mp4 otf pdf php png psd scss svg tif tiff ts tsx ttf txt webm webp woff"
    " xlsx xml yaml yml"
)
_ENDINGS: Final = frozenset(_FILES.split())
_ESCAPES: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_RECIPIENTS: Final = frozenset({"to", "cc", "bcc"})


@dataclass(frozen=True, slots=True)
class Contacts:
    """What was found: sorted, each once."""

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


def find(text: str, links: Iterable[str] = ()) -> Contacts:
    """
    Return whom a page names in its text and in its `mailto:` and `tel:` links.

    Emails are in lower case, their domains in ASCII; phones are digits, with a `+`
    where the country is said.
    """
    seen = plain(text)
    emails, phones = set(emails_in(seen)), set(phones_in(seen))
    for link in links:
        scheme, _, rest = link.strip().partition(":")
        if scheme.lower() == "mailto":
            emails.update(_mailto(rest))
        else:
            phones.update(filter(None, [dialled(plain(unquote(rest)))]))
    return Contacts(_few(emails), _few(phones))


def emails_in(text: str) -> Iterator[str]:
    """Yield the addresses in a text whose letters are plain, again and again."""
    for line in text.split("\n"):
        if "@" in line:
            yield from (email for _, _, email in _emails(line))


def _emails(line: str) -> Iterator[tuple[int, int, str]]:
    for found in _EMAIL.finditer(line):
        before = line[max(found.start() - _LOOK_BACK, 0) : found.start()]
        if not _IN_URL.search(before) and not _is_repository(found):
            local = _ESCAPES.sub("", found[1], count=1)
            email = _email(local, _ended(found[2]))
            if email:
                yield found.start(), found.end(), email


def replaced(text: str, by: Callable[[str], str]) -> str:
    """Return a text with something else for each contact that is found in it."""
    text = plain(text)
    found = sorted([*_emails(text), *numbers(text)])
    parts, end = [], 0
    for start, behind, contact in found:
        if start >= end:
            parts += [text[end:start], by(contact)]
            end = behind
    return "".join([*parts, text[end:]])


def _few(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found)[:MOST])


def _is_repository(found: re.Match[str]) -> bool:
    return found[1] == "git" and bool(_REPOSITORY.match(found.string, found.end()))


def _ended(domain: str) -> str:
    # "Write to ada@example.com.Or call": a sentence ended, and a space is missing.
    start, _, last = domain.rpartition(".")
    return start if "." in start and start.islower() and last.istitle() else domain


def _email(local: str, domain: str) -> str | None:
    local, domain = local.strip("'").lstrip(".-").lower(), domain.lower()
    if not local or len(local) > _MOST_LOCAL or ".." in local or local[-1] == ".":
        return None
    if domain.rpartition(".")[2] in _ENDINGS:
        return None
    host = domain if domain.isascii() else _to_ascii(domain)
    email = f"{local}@{host}"
    return email if host and len(email) <= _MOST_EMAIL else None


def _to_ascii(domain: str) -> str | None:
    import idna

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None


def _mailto(rest: str) -> Iterator[str]:
    whom, _, more = rest.partition("?")
    fields = [whom]
    for pair in more.split("&"):
        name, _, value = pair.partition("=")
        if name.removeprefix("amp;").lower() in _RECIPIENTS:
            fields.append(value)
    for field in fields:
        yield from filter(None, map(_linked, re.split("[,;]", unquote(field))))


def _linked(part: str) -> str | None:
    part = plain(part).strip()
    bracketed = _IN_BRACKETS.search(part)
    part = bracketed[1] if bracketed else part
    found = _LINKED.fullmatch(part.removeprefix("mailto:").lstrip("/").strip(" '\""))
    return _email(found[1], found[2]) if found else None
