"""What the robots.txt of a host allows, after RFC 9309."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from eventyard.jobs.scraping import urls

if TYPE_CHECKING:
    from protego import Protego

#: What lies behind it is not read.
MOST_BYTES: Final = 512_000
#: Who asks for longer pauses than this is asked once in so long.
LONGEST_DELAY_S: Final = 60.0
_MOST_SITEMAPS: Final = 50
_MOST_LINE: Final = 8_192
_OK: Final = range(200, 300)
_MISSING: Final = range(300, 500)
#: "Too many requests" says nothing of what is allowed.
_TOO_MANY: Final = 429
_TOKEN: Final = re.compile(r"[A-Za-z_-]+")


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of a host for one robot; without a text all is allowed, or nothing."""

    agent: str
    text: str = ""
    #: Why nothing may be asked; it may be another time.
    unreachable: str | None = None
    _parsed: list[Protego] = field(default_factory=list, repr=False, compare=False)

    def allows(self, url: str) -> bool:
        """Tell whether an address may be asked for."""
        if self.unreachable is not None:
            return False
        return not self.text or self._rules.can_fetch(url, self.agent)

    @property
    def delay_s(self) -> float:
        """Return how far apart requests must be, as the host wishes; 0: no wish."""
        if not self.text:
            return 0.0
        rate = self._rules.request_rate(self.agent)
        apart = rate.seconds / rate.requests if rate else 0.0
        wished = max(self._rules.crawl_delay(self.agent) or 0.0, apart)
        return min(wished, LONGEST_DELAY_S)

    @property
    def sitemaps(self) -> list[str]:
        """Return the sitemaps that are named, wherever they are."""
        named = self._rules.sitemaps if self.text else iter(())
        found = dict.fromkeys(filter(None, map(urls.canonical, named)))
        return list(found)[:_MOST_SITEMAPS]

    @property
    def _rules(self) -> Protego:
        if not self._parsed:
            from protego import Protego

            self._parsed.append(Protego.parse(self.text))
        return self._parsed[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as JSON, small."""
        packed = base64.b64encode(zlib.compress(self.text.encode())).decode()
        kept: dict[str, Any] = {"agent": self.agent, "unreachable": self.unreachable}
        return {**kept, "text": packed} if self.text else kept

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Return the rules that were kept."""
        text = kept.get("text")
        read = zlib.decompress(base64.b64decode(text)).decode() if text else ""
        return cls(kept["agent"], read, kept["unreachable"])


def answered(agent: str, status: int, body: bytes) -> Robots:
    """
    Return what an answer for /robots.txt means.

    Without the file (4xx, or redirects without an end) all is allowed; a server that
    fails (5xx) allows nothing until it does not. `agent` is a User-Agent header, or
    the name of a robot.
    """
    name = product(agent)
    if status in _OK:
        return Robots(name, _text(body))
    if status in _MISSING and status != _TOO_MANY:
        return Robots(name)
    return Robots(name, unreachable=f"robots.txt: HTTP {status}")


def unanswered(agent: str, reason: str) -> Robots:
    """Return what it means that /robots.txt could not be asked for."""
    return Robots(product(agent), unreachable=f"robots.txt: {reason}")


def product(agent: str) -> str:
    """Return by what name a User-Agent is called in robots.txt."""
    found = _TOKEN.match(agent)
    return found[0].lower() if found else "*"


def _text(body: bytes) -> str:
    cut = body[:MOST_BYTES]
    if len(body) > MOST_BYTES:
        # Half a rule may say the opposite of the whole one.
        cut = cut[: max(cut.rfind(b"\n"), cut.rfind(b"\r")) + 1]
    text = cut.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return "\n".join(line for line in text.splitlines() if len(line) <= _MOST_LINE)
