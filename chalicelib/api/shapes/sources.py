"""Sources: what makes one, what is told of it, and of what it sends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from chalicelib.api.shapes._base import Answer, Body, Moment

# Patterns are shown, not checked here: the model says better what is wrong.
_Header = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        json_schema_extra={"pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
    ),
]
_Text = Annotated[
    str, Field(max_length=64, json_schema_extra={"pattern": r"^[\x20-\x7e]*$"})
]
_Way = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="A path in the body such as `event.name` (a number counts into a "
        "list), or a header as `header:X-Event`.",
        examples=["type"],
    ),
]
_Prefix = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        description="What the topics of its events begin with.",
        examples=["shop.payments"],
    ),
]
_Secret = Annotated[
    str,
    Field(
        max_length=256,
        description="What the sender signs with: whsec_ and the base64 of 24 to 64 "
        "bytes (`standard`), or 16 to 256 printable characters (`hmac`); made when "
        "left out.",
    ),
]


class StandardScheme(Body):
    """Standard Webhooks 1.0: webhook-id, webhook-timestamp, webhook-signature."""

    type: Literal["standard"]
    headers: Literal["webhook", "svix"] = Field(
        default="webhook",
        description="How their names begin: some senders still say svix-id.",
    )


class HmacScheme(Body):
    """An HMAC of the body, and of a timestamp where there is one, in a header."""

    type: Literal["hmac"]
    header: _Header = Field(examples=["X-Signature"])
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: _Text = Field(
        default="",
        description="What stands before the signature, in the header or in one of its "
        "parts between commas, semicolons or spaces.",
        examples=["sha256="],
    )
    timestamp_header: _Header | None = Field(
        default=None, description="The header with the signed timestamp, if there is."
    )
    timestamp_prefix: _Text = Field(
        default="", description="What stands before the timestamp.", examples=["t="]
    )
    template: _Text | None = Field(
        default=None,
        description="What is signed: `{body}`, and with a timestamp `{timestamp}`. "
        "`{timestamp}.{body}` unless told.",
    )
    tolerance_s: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="How far from now the timestamp may be.",
    )


Scheme = Annotated[StandardScheme | HmacScheme, Field(discriminator="type")]


class NewSource(Body):
    """Who sends webhooks, how they are signed, and what becomes of them."""

    name: str = Field(
        min_length=1,
        max_length=40,
        description="Its deliveries go to `/webhooks/{name}`.",
        examples=["payments"],
        json_schema_extra={"pattern": "^[a-z][a-z0-9-]*$"},
    )
    scheme: Scheme
    topic: _Prefix | None = None
    type_from: _Way | None = None
    id_from: _Way | None = None
    secret: _Secret | None = None


class ChangedSource(Body):
    """What changes of a source; what is not named stays."""

    scheme: Scheme | None = None
    topic: _Prefix | None = None
    type_from: _Way | None = None
    id_from: _Way | None = None


class SourceSecret(Body):
    """A new secret, and for how long the old one counts as well."""

    secret: _Secret | None = None
    grace_s: float = Field(default=86_400, ge=0, le=604_800)


class SourceSecretHint(Answer):
    """A secret, as far as it is shown."""

    hint: str = Field(examples=["...k3Y="])
    expires_at: Moment | None = None


class SourceScheme(Answer):
    """How deliveries are signed, with the options of its type."""

    type: Literal["standard", "hmac"]
    headers: str | None = None
    header: str | None = None
    algorithm: str | None = None
    encoding: str | None = None
    prefix: str | None = None
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    template: str | None = None
    tolerance_s: int | None = None


class Source(Answer):
    """A sender of webhooks, without what is secret."""

    name: str
    path: str = Field(description="Where it sends.", examples=["/webhooks/payments"])
    scheme: SourceScheme
    topic: str
    type_from: str | None
    id_from: str | None
    secrets: list[SourceSecretHint]
    created_at: Moment
    created_by: str
    revision: int


class MadeSource(Source):
    """A source just made, with the secret that was made for it."""

    secret: str | None = Field(
        default=None, description="Shown once, and only if it was made here."
    )


class SourcePage(Answer):
    """Sources by name."""

    sources: list[Source]
    cursor: str | None


class RotatedSource(Answer):
    """The secret that counts from now on."""

    name: str
    secret: str | None = Field(
        default=None, description="Shown once, and only if it was made here."
    )
    secrets: list[SourceSecretHint]


class RemovedSource(Answer):
    """What was removed."""

    removed: str


class AnyJson(RootModel[Any]):
    """Whatever a sender sends."""


class FormFields(RootModel[dict[str, str | list[str]]]):
    """The fields of a form; it becomes an object."""


class AcceptedDelivery(Answer):
    """The event that a delivery has become."""

    event_id: str = Field(
        description="The sender's id where it has one.", examples=["msg_2KWPBgLlAfxd"]
    )
    status: Literal["accepted"]
    deduplicated: bool | None = Field(
        default=None, description="It came before, and is one event."
    )
