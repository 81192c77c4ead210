"""JSON Schemas of shapes, as the documents of the interface show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from chalicelib.api.shapes import shape

Schema = dict[str, Any]
_PLACE: Final = "#/components/schemas/{model}"


class _Plain(GenerateJsonSchema):
    """Leaves out what only repeats: titles of fields, and null as a default."""

    def field_title_should_be_set(self, _: Any, /) -> bool:
        """Leave the titles of fields out: they repeat the names."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        """Leave null out as a default: it means that nothing was given."""
        made = super().default_schema(schema)
        return {n: v for n, v in made.items() if (n, v) != ("default", None)}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        """Write null beside the type, where there is one type."""
        made = super().nullable_schema(schema)
        match made:
            case {"anyOf": [{"type": str(kind)} as one, {"type": "null"}]}:
                if not {"enum", "const"} & one.keys():
                    return {**one, "type": [kind, "null"]}
        return made


def schemas_of(names: Iterable[str]) -> tuple[dict[str, Schema], Schema]:
    """
    Describe shapes by their names, as routes give them.

    Returns a reference to each, and the components that they refer to.
    """
    models = {name: shape(name) for name in dict.fromkeys(names)}
    references, whole = models_json_schema(
        [(model, "validation") for model in models.values()],
        schema_generator=_Plain,
        ref_template=_PLACE,
    )
    found = {name: references[model, "validation"] for name, model in models.items()}
    return found, dict(sorted(whole.get("$defs", {}).items()))
