"""Where Redis is, how long things keep, and how long one waits for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eventyard.core.errors import InvalidRequestError

#: NAME=value, as shells and python-dotenv read it, one a line.
_LINE: Final = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*=
    (?:[ \t]*'(?P<plain>(?:\\['\\]|[^'])*)'[ \t]*(?:\#[^\n]*)?
    |[ \t]*"(?P<quoted>(?:\\.|[^"\\])*)"[ \t]*(?:\#[^\n]*)?
    |(?P<bare>[^\n]*))$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class CacheConfig:
    """
    Times are in seconds. Defaults of lifetimes hold where a call names none, or 0.

    `local_tier` keeps what was read in this process as well, in front of Redis; other
    processes' changes reach it. It holds keys that begin with `key_prefix`.
    """

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    password: str | None = None
    embedding_ttl: int = 86_400
    rag_results_ttl: int = 300
    circle_context_ttl: int = 600
    llm_response_ttl: int = 3_600
    enabled: bool = True
    key_prefix: str = "gathering:"
    #: Whoever waits longer than this for Redis goes on without it.
    timeout: float = 0.25
    #: After a failure Redis is left alone for so long.
    pause: float = 2.0
    local_tier: bool = False
    local_max_entries: int = 10_000
    #: Size as JSON text.
    local_max_bytes: int = 64_000_000
    #: Nothing stays longer than this in the process without a look at Redis.
    local_ttl: float = 60.0

    @classmethod
    def from_env(cls, dotenv_path: str | os.PathLike[str] | None = None) -> CacheConfig:
        """
        Read REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD and CACHE_ENABLED.

        Variables that are set win over a file of `NAME=value` lines; a file that is
        not there counts for nothing. Only `true` enables, and so does silence.

        Raises:
            InvalidRequestError: a number is none.
        """
        told = {**_file(dotenv_path), **os.environ}
        default = cls()
        return replace(
            default,
            host=told.get("REDIS_HOST") or default.host,
            port=_number(told, "REDIS_PORT", default.port),
            db=_number(told, "REDIS_DB", default.db),
            password=told.get("REDIS_PASSWORD") or None,
            enabled=told.get("CACHE_ENABLED", "true").strip().lower() == "true",
        )


def _number(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()):
        raise InvalidRequestError(f"{name} must be a number, not {text!r:.40}.")
    return int(text)


def _file(path: str | os.PathLike[str] | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        return read_dotenv(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        return {}


def read_dotenv(text: str) -> dict[str, str]:
    """Return what `NAME=value` lines say; lines that say nothing are passed over."""
    return {found["name"]: _value(found) for found in _LINE.finditer(text)}


def _value(found: re.Match[str]) -> str:
    if found["plain"] is not None:
        return re.sub(r"\\(['\\])", r"\1", found["plain"])
    if found["quoted"] is not None:
        return re.sub(
            r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), found["quoted"]
        )
    return re.split(r"[ \t]+#", found["bare"], maxsplit=1)[0].strip()
