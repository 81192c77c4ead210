"""What a source is, and what may stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from chalicelib.sources.signatures import Hmac, Scheme, Standard, check_secret
from eventyard.core.errors import InvalidRequestError, ValidationError
from eventyard.core.topics import check_topic

#: How the name of a header begins where a type or an id stands in one.
HEADER: Final = "header:"
#: Whose deliveries have an address of their own.
RESERVED: Final = frozenset({"github"})
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PATH: Final = re.compile(r"(?=.{1,256}\Z)[\w$@:/-]+(\.[\w$@:/-]+)*", re.ASCII)
_PRINTED: Final = re.compile(r"[\x20-\x7e]{0,64}")
_LONGEST_TOPIC: Final = 128
#: Topics that mean something to the platform, and what leads to one of them.
_OURS: Final = re.compile(r"(eventyard|reply|com\.github)(\..*)?|com")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a sender signs with; one that was replaced counts until `expires_at`."""

    value: str
    #: In Unix seconds.
    expires_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Tell whether it still counts."""
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True, slots=True)
class Source:
    """A sender of webhooks: how it signs, and what its deliveries become."""

    name: str
    scheme: Scheme
    #: The newest first; at most two.
    secrets: tuple[Secret, ...]
    #: What the topics of its events begin with.
    topic: str
    created_at: str
    created_by: str
    #: Where the type of an event stands: a path, or `header:` and a name.
    type_from: str | None = None
    #: Where the id of a delivery stands, likewise.
    id_from: str | None = None
    #: Grows with each change, so that two changes at once do not mix.
    revision: int = 1

    @property
    def origin(self) -> str:
        """Return the `source` of its events."""
        return f"webhooks/{self.name}"

    @property
    def identity(self) -> str | None:
        """Return where the id of a delivery stands, told or by its scheme."""
        if self.id_from or isinstance(self.scheme, Hmac):
            return self.id_from
        return HEADER + self.scheme.header("id")

    def valid_secrets(self, now: float) -> list[str]:
        """Return the secrets that count."""
        return [secret.value for secret in self.secrets if secret.is_valid(now)]

    def changed(self, **changes: Any) -> Source:
        """Return the source with changes, as its next revision."""
        return replace(self, revision=self.revision + 1, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which it is stored, secrets included."""
        return {**asdict(self), "scheme": scheme_to_dict(self.scheme)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Source:
        """Read the stored form."""
        secrets = tuple(Secret(**secret) for secret in stored["secrets"])
        scheme = scheme_from(stored["scheme"])
        return cls(**{**stored, "scheme": scheme, "secrets": secrets})


def scheme_to_dict(scheme: Scheme) -> dict[str, Any]:
    """Return a scheme as it is told and stored."""
    if isinstance(scheme, Standard):
        return {"type": "standard", **asdict(scheme)}
    options = {**asdict(scheme), "template": scheme.signed}
    told = {name: value for name, value in options.items() if value is not None}
    return {"type": "hmac", **told}


def scheme_from(told: Mapping[str, Any]) -> Scheme:
    """Read a scheme."""
    options = {name: value for name, value in told.items() if name != "type"}
    return Hmac(**options) if told["type"] == "hmac" else Standard(**options)


def check(source: Source) -> Source:
    """Return the source, or raise InvalidRequestError saying what is wrong."""
    if not _NAME.fullmatch(source.name):
        raise _wrong("name", "a letter and up to 39 letters, digits or - (lower case)")
    if source.name in RESERVED:
        raise _wrong("name", f"{source.name} has an address of its own")
    _check_topic(source.topic)
    for name in ("type_from", "id_from"):
        _check_way(name, getattr(source, name))
    if isinstance(source.scheme, Hmac):
        _check_hmac(source.scheme)
    for secret in source.secrets:
        check_secret(source.scheme, secret.value)
    return source


def is_name(text: str) -> bool:
    """Tell whether a source could have this name."""
    return _NAME.fullmatch(text) is not None


def _check_topic(topic: str) -> None:
    try:
        check_topic(topic)
    except ValidationError as error:
        raise _wrong("topic", error.message.removeprefix("type ")) from None
    if len(topic) > _LONGEST_TOPIC:
        raise _wrong("topic", f"at most {_LONGEST_TOPIC} characters")
    if _OURS.fullmatch(topic):
        raise _wrong("topic", f"{topic} leads to topics of the platform's own")


def _check_way(name: str, way: str | None) -> None:
    if way is None:
        return
    header = way.startswith(HEADER)
    fitting = _TOKEN if header else _PATH
    if not fitting.fullmatch(way.removeprefix(HEADER) if header else way):
        raise _wrong(name, "a path such as event.name, or header: and a name")


def _check_hmac(scheme: Hmac) -> None:
    for name in ("header", "timestamp_header"):
        value = getattr(scheme, name)
        if value is not None and not _TOKEN.fullmatch(value):
            raise _wrong(f"scheme.{name}", "the name of a header")
    for name in ("prefix", "timestamp_prefix", "template"):
        if not _PRINTED.fullmatch(getattr(scheme, name) or ""):
            raise _wrong(f"scheme.{name}", "up to 64 printable ASCII characters")
    text = scheme.signed
    if text.count("{body}") != 1:
        raise _wrong("scheme.template", "has {body} once")
    # A timestamp that is not signed would prove nothing.
    if text.count("{timestamp}") != (scheme.timestamp_header is not None):
        raise _wrong(
            "scheme.template", "has {timestamp} once, where there is timestamp_header"
        )


def _wrong(field: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: {what}.", details={"field": field})
