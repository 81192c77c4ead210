"""Phone numbers in plain text, told apart from all the numbers that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FEWEST: Final = 8
_MOST: Final = 15
#: A number of some digits, with what people put between them. Nothing is given back,
#: so the longest text takes time with its length only.
_RUN: Final = re.compile(
    r"(?=[\d+(])(?<![\w@#=%&$€£¥*/\\])(?<![\w+]-)(?<!\d[.,:])"
    r"(?:\(?\+ ?\(?|\()?\d(?:[ ().\-/]{0,4}+\d)*+"
)
#: It goes on as something else: a word, a time, a decimal, a unit.
_GOES_ON: Final = re.compile(
    r"(?!x ?\d|ext|[A-Z][a-z])[\w@%=]|[:,.]\d| ?[€$£¥%]| ?"
    r"(?:EUR|USD|CHF|GBP|Euro?s?|[kKMGT]i?[BbWg]|[kcm]m|px|bytes|Bytes)\b"
)
_BETWEEN: Final = re.compile(r" [/-] (?=[+(0])")
_ZERO: Final = re.compile(r"\( ?0 ?\)")
_WORDS: Final = (
    r"tel(?:e(?:ph(?:one|on)|fon|fono|foon|fone))?|phones?|fon|fono|fax|telefax|mob(?:ile?)?"
    r"|cell|call(?: us)?(?: (?:at|on))?|handy|hotline|whats ?app|signal|t[ée]l"
    r"|t[ée]l[ée](?:phone|fono)|ph|tlf|tfno|puh|gsm|sms|rufen sie(?: uns)? an"
)
#: Said to be one; "Tel.-Nr.: " and the like.
_LABELLED: Final = re.compile(
    rf"(?:(?<![^\W\d_])(?:{_WORDS})\.?[ -]{{0,2}}(?:nummer|number|nr|no|num|n°)?"
    r"|[☎☏✆📞📱])[^\w+(]{0,4}\Z",
    re.IGNORECASE,
)
#: Said to be something else.
_OTHERWISE: Final = re.compile(
    r"(?<![^\W\d_])(?:isbn|issn|ean|gtin|upc|asin|sku|ref|iban|bic|vat|hrb|hra|id|item"
    r"|art|artikel|order|invoice|rechnung|account|konto|version|build|serial|doi|pmid)"
    r"\.?[ -]{0,2}(?:1[03]|nummer|number|nr|no)?[^\w+(]{0,4}\Z",
    re.IGNORECASE,
)
_LOOK_BACK: Final = 40
_NORTH_AMERICA: Final = re.compile(
    r"(1[ .-]?)?(?:\([2-9]\d\d\)[ .-]?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}"
)
_DAY_LAST: Final = re.compile(r"(?<!\d)(?:19|20)\d\d[-./ ](\d\d?)[-./ ](\d\d?)(?!\d)")
_YEAR_LAST: Final = re.compile(r"(?<!\d)(\d\d?)[-./ ](\d\d?)[-./ ](?:19|20)\d\d(?!\d)")
_MONTHS: Final = 12
_DAYS: Final = 31
_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_HOURS: Final = re.compile(r"\d?\d\.\d\d ?- ?\d?\d\.\d\d")
_DECIMAL: Final = re.compile(r"\+?\d{1,3}\.\d{1,7}")
_SEPARATED: Final = re.compile(r"\d[^\d]")
#: Of the country alone, without a separator: longer ones are goods, or books.
_BARE: Final = range(10, 12)
#: A pause, an extension, what a messenger is to say.
_TAIL: Final = re.compile(r"[;,?&#pwx]", re.IGNORECASE)
_DIALLED: Final = re.compile(r"\(?\+?[\d ().\-/]+")


def phones_in(text: str) -> Iterator[str]:
    """Yield the numbers in a plain text, digits with a `+` where there is a country."""
    return (phone for _, _, phone in numbers(text))


def numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each number begins and ends, and how it is spelled."""
    for found in _RUN.finditer(text):
        if len(found[0]) < _FEWEST or _GOES_ON.match(text, found.end()):
            continue
        before = text[max(found.start() - _LOOK_BACK, 0) : found.start()]
        start = found.start()
        for run in _BETWEEN.split(found[0]):
            phone = _phone(run, before)
            if phone:
                yield start, start + len(run), phone
            start += len(run) + len(" / ")


def dialled(number: str) -> str | None:
    """Return the number that a `tel:` link dials; None if it is none of a person."""
    start = _TAIL.split(number.strip().lstrip("/"), maxsplit=1)[0].strip()
    return _spelled(start) if _DIALLED.fullmatch(start) else None


def _phone(run: str, before: str) -> str | None:
    spelled = _spelled(run)
    if spelled is None or _is_something_else(run):
        return None
    if spelled[0] == "+":
        sure = "+" in run or bool(_SEPARATED.search(run)) or len(run) > _FEWEST + 3
        return spelled if sure else None
    if _LABELLED.search(before):
        return spelled
    return (
        spelled if not _OTHERWISE.search(before) and _is_usual(run, spelled) else None
    )


def _spelled(run: str) -> str | None:
    """Return a number as it is written down, if it has as many digits as one has."""
    abroad = "+" in run
    digits = "".join(filter(str.isdigit, _ZERO.sub("", run) if abroad else run))
    if not abroad and digits.startswith("00"):
        digits = "".join(filter(str.isdigit, _ZERO.sub("", run)))[2:]
        abroad = True
    sound = _FEWEST <= len(digits) <= _MOST and len(set(digits)) > 1
    if not sound or (abroad and digits[0] == "0"):
        return None
    return f"+{digits}" if abroad or _is_with_one(run) else digits


def _is_with_one(run: str) -> bool:
    found = _NORTH_AMERICA.fullmatch(run)
    return bool(found and found[1])


def _is_usual(run: str, digits: str) -> bool:
    """Tell whether a number without a country and without a label looks like one."""
    if _NORTH_AMERICA.fullmatch(run):
        return True
    if digits[0] != "0" or re.match(r"0[^\d]", run):
        return False
    bare = not _SEPARATED.search(run)
    return len(digits) in _BARE if bare else len(digits) > _FEWEST


def _is_something_else(run: str) -> bool:
    if _DECIMAL.fullmatch(run):
        return True
    return "+" not in run and bool(
        _is_date(run) or _HOURS.search(run) or _holds_address(run)
    )


def _is_date(run: str) -> bool:
    found = _DAY_LAST.search(run) or _YEAR_LAST.search(run)
    if found is None:
        return False
    one, other = int(found[1]), int(found[2])
    return 0 < min(one, other) <= _MONTHS and max(one, other) <= _DAYS


def _holds_address(run: str) -> bool:
    found = _ADDRESS.search(run)
    # Numbers of France begin so, but go on.
    return found is not None and all(int(part) <= 255 for part in found[0].split("."))  # noqa: PLR2004
