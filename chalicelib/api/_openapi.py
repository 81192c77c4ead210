"""The OpenAPI document, made of the routes and their shapes: nothing is said twice."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any, Final

from chalicelib.api._endpoint import Address, Faults, has_version
from chalicelib.api._parameters import Parameter
from chalicelib.api._schemas import Schema, schemas_of
from chalicelib.api.shapes import shape
from eventyard.version import VERSION

_JSON: Final = "application/json"
_FAILURE: Final = "errors.Failure"
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_FIRST_FAILURE: Final = 400
_NO_BODY: Final = (204, 304, 307)
_TYPES: Final[dict[str, Schema]] = {
    "text": {"type": "string"},
    "cursor": {"type": "string"},
    "moment": {"type": "string", "format": "date-time"},
    "flag": {"type": "boolean"},
}
#: What failures mean, unless a route says more.
_MEANINGS: Final = {
    400: "Something in the request is wrong; the message says what.",
    401: "The key is missing, unknown or revoked.",
    403: "The key lacks the scope.",
    404: "There is no such thing.",
    409: "It conflicts with the present state.",
    413: "The body is too large.",
    415: "The body has a type that is not taken here.",
    500: "Something went wrong inside; the function's log has it.",
    503: "The platform is busy, or a part of it does not answer: try again.",
}
_ABOUT: Final = """\
An event backbone: publish events over HTTP or WebSocket, read them back, watch them
live. Requests and answers are JSON, times are ISO 8601 in UTC, and every failure has
the one shape `Failure`. The live channels are described in `asyncapi.json`.
"""
_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, `ey_...`. Where the platform is open, none is needed.",
}


def document(families: Iterable[ModuleType]) -> Schema:
    """Describe every address of the families, as OpenAPI 3.1."""
    families = tuple(families)
    every = [address for family in families for address in family.routes.addresses]
    references, components = schemas_of(_named(every))
    writer = _Writer(references, components, _operation_ids(every))
    paths: Schema = {}
    for family in families:
        for address in sorted(family.routes.addresses, key=lambda one: one.path):
            operation = writer.operation(address, _tag(family))
            paths.setdefault(address.path, {})[address.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Eventyard",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Wherever this document was found: gateways put a stage before the paths.
        "servers": [{"url": ".", "description": "Where this document came from."}],
        "tags": [_described(family) for family in families],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                _shared(status): _failure(meaning, references[_FAILURE])
                for status, meaning in _MEANINGS.items()
            },
            "securitySchemes": {"key": _KEY},
        },
    }


def _tag(family: ModuleType) -> str:
    return family.__name__.rpartition(".")[2]


def _described(family: ModuleType) -> Schema:
    return {"name": _tag(family), "description": inspect.getdoc(family) or ""}


def _named(addresses: Iterable[Address]) -> Iterator[str]:
    yield _FAILURE
    for address in addresses:
        yield from address.bodies.values()
        yield from filter(None, [address.answer, address.faults.shape])
        yield from (
            told[1] for told in address.also.values() if isinstance(told, tuple)
        )


def _operation_ids(addresses: Iterable[Address]) -> dict[tuple[str, str], str]:
    # A view is named after its function; where it answers at several addresses, the
    # longer ones say their last word as well.
    seen: Counter[str] = Counter()
    names = {}
    for address in sorted(addresses, key=lambda one: len(one.path)):
        name = address.view.__name__
        seen[name] += 1
        last = address.path.rpartition("/")[2].strip("{}")
        names[address.method, address.path] = name + f"_{last}" * (seen[name] > 1)
    return names


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes operations, with the references to the shapes they name."""

    references: Mapping[str, Schema]
    components: Mapping[str, Schema]
    ids: Mapping[tuple[str, str], str]

    def operation(self, address: Address, tag: str) -> Schema:
        """Describe one address."""
        summary, _, more = (inspect.getdoc(address.view) or "").partition("\n")
        written: Schema = {
            "operationId": self.ids[address.method, address.path],
            "tags": [tag],
            "summary": summary.rstrip(".").replace("`", ""),
            "description": _description(address, more.strip()),
            "security": [{"key": [address.scope]}] if address.scope else [],
            "parameters": list(_parameters(address)),
            "requestBody": self._body(address),
            "responses": self._responses(address),
        }
        optional = ("description", "parameters", "requestBody")
        return {n: v for n, v in written.items() if v or n not in optional}

    def _body(self, address: Address) -> Schema:
        if not address.bodies:
            return {}
        content = {m: {"schema": self._of(name)} for m, name in address.bodies.items()}
        required = not all(map(_may_be_empty, address.bodies.values()))
        return {"required": required, "content": content}

    def _responses(self, address: Address) -> Schema:
        answers: dict[int, Any] = {address.status: self._told(address)}
        answers |= _failures(address)
        answers |= address.also
        return {
            str(status): self._response(address, status, answers[status])
            for status in sorted(answers)
        }

    def _response(
        self, address: Address, status: int, told: str | tuple[str, str]
    ) -> Schema:
        meaning, name = told if isinstance(told, tuple) else (told, None)
        if name is None and status >= _FIRST_FAILURE:
            return self._fault(address.faults, status, meaning)
        if name is not None:
            content = _json(self._of(name))
        elif status in _NO_BODY:
            return {"description": meaning}
        else:
            content = self._content(address)
        return {"description": meaning, "content": content}

    def _fault(self, faults: Faults, status: int, meaning: str) -> Schema:
        if faults.shape == _FAILURE and meaning == _MEANINGS.get(status):
            return {"$ref": f"#/components/responses/{_shared(status)}"}
        schema = self._of(faults.shape) if faults.shape else {"type": "string"}
        return {"description": meaning, "content": {faults.media: {"schema": schema}}}

    def _content(self, address: Address) -> Schema:
        kinds = (address.media,) if isinstance(address.media, str) else address.media
        return {
            media: {
                "schema": self._of(address.answer)
                if media == _JSON
                else {"type": "string"}
            }
            for media in kinds
        }

    def _told(self, address: Address) -> str:
        phrase = HTTPStatus(address.status).phrase
        if address.answer is None:
            return phrase
        component = self.references[address.answer]["$ref"].rpartition("/")[2]
        described = str(self.components[component].get("description", phrase))
        return described.partition("\n\n")[0].replace("\n", " ")

    def _of(self, name: str | None) -> Schema:
        return self.references[name] if name is not None else {}


def _may_be_empty(name: str) -> bool:
    # No body at all is read as an object of nothing.
    try:
        shape(name).model_validate({})
    except ValueError:
        return False
    return True


def _shared(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


def _failure(meaning: str, schema: Schema) -> Schema:
    return {"description": meaning, "content": _json(schema)}


def _json(schema: Schema) -> Schema:
    return {_JSON: {"schema": schema}}


def _description(address: Address, more: str) -> str:
    needed = f"Needs the scope `{address.scope}`." if address.scope else ""
    return "\n\n".join(filter(None, [more, needed]))


def _failures(address: Address) -> dict[int, str]:
    found = [500, 503]
    takes = address.query or address.headers or address.bodies
    if takes or has_version(address):
        found += [400]
    if address.scope is not None:
        found += [401, 403]
    if "{" in address.path:
        found += [404]
    if address.bodies:
        found += [413]
    if "*/*" not in address.content_types:
        found += [415]
    return {status: _MEANINGS[status] for status in found}


def _parameters(address: Address) -> Iterator[Schema]:
    for name in _IN_PATH.findall(address.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }
    for place, parameters in (("query", address.query), ("header", address.headers)):
        for parameter in parameters:
            yield _parameter(place, parameter)


def _parameter(place: str, parameter: Parameter) -> Schema:
    written = {
        "name": parameter.name,
        "in": place,
        "description": parameter.meaning,
        "schema": _kind(parameter),
    }
    repeated = {"style": "form", "explode": True} if parameter.many else {}
    return {**written, **repeated}


def _kind(parameter: Parameter) -> Schema:
    schema = {**_TYPES.get(parameter.kind, {})}
    if parameter.kind == "integer":
        bounds = {"minimum": parameter.lowest, "maximum": parameter.highest}
        schema = {"type": "integer", **bounds}
    if parameter.pattern:
        schema["pattern"] = parameter.pattern
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.many:
        return {"type": "array", "items": schema}
    if parameter.default is not None:
        schema["default"] = parameter.default
    return schema
