"""What all shapes share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

#: A time as it is read and written, in ISO 8601.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Topic = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*$",
        max_length=256,
        examples=["order.placed"],
    ),
]


class Body(BaseModel):
    """What a caller sends: nothing but what is named, of exactly its type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """
    What a caller is told.

    A field with the default None may be missing, but is never null; one that may be
    null has no default.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe it as it is told: what may be missing is left out, not null."""
        made = handler(core)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        for name, field in cls.model_fields.items():
            if name in properties and field.default is None:
                properties[name] = _never_null(properties[name])
        return made


def _never_null(described: dict[str, Any]) -> dict[str, Any]:
    match described:
        case {"type": [*kinds], **rest}:
            (kind,) = (kind for kind in kinds if kind != "null")
            return {"type": kind, **rest}
        case {"anyOf": [*kinds], **rest}:
            left = [kind for kind in kinds if kind != {"type": "null"}]
            return {**left[0], **rest} if len(left) == 1 else {"anyOf": left, **rest}
    return described
