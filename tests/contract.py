"""Holds every answer and every accepted request to the documents of the interface."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_NO_BODY = (204, 304, 307)
#: What gateways and the framework answer before any address is reached.
_NOWHERE = (403, 404, 405)
_FAILURE = {"$ref": "#/components/schemas/Failure"}
_BASE = "urn:document"
_OF_SERVICE = re.compile(r"^[a-z][a-z0-9_]*?_job_(?=[a-z]+$)")
_FORMATS = Draft202012Validator.FORMAT_CHECKER


class Contract:
    """
    A document as a test reads it: whatever it does not name is not there.

    What is published stays open, so that an answer may grow a field; here an answer
    with a field that nobody described is a failure.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = copy.deepcopy(document)
        for schema in self.document["components"]["schemas"].values():
            if schema.get("properties"):
                schema.setdefault("additionalProperties", False)
        resource = Resource.from_contents(self.document, DRAFT202012)
        self._registry = Registry().with_resource(_BASE, resource)
        self._paths = {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))): operations
            for path, operations in self.document.get("paths", {}).items()
        }

    def faults(
        self, schema: dict[str, Any], value: Any, *, formats: Any = _FORMATS
    ) -> list[str]:
        """Say where a value is not what its schema says."""
        whole = {
            name: _BASE + at if name == "$ref" else at for name, at in schema.items()
        }
        checked = Draft202012Validator(
            whole, registry=self._registry, format_checker=formats
        )
        return [f"{e.json_path}: {e.message[:300]}" for e in checked.iter_errors(value)]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Find what is said of an address; those without parameters come first."""
        fitting = [
            operations
            for pattern, operations in self._paths.items()
            if pattern.fullmatch(path)
        ]
        exact = self.document["paths"].get(path)
        found = exact or next(iter(fitting), {})
        return found.get(method.lower())

    def check(
        self, method: str, address: str, sent: bytes, media: str, answer: Any
    ) -> None:
        """Fail unless the answer, and a request that was accepted, are documented."""
        operation = self.operation(method, urlsplit(address).path)
        if operation is None:
            assert answer.status in _NOWHERE, f"{method} {address} is not documented"
            assert not self.faults(_FAILURE, answer.json()), answer.text
            return
        self._check_answer(operation, answer)
        if answer.status < 300:
            self._check_request(operation, address, sent, media)

    def _check_answer(self, operation: dict[str, Any], answer: Any) -> None:
        name = operation["operationId"]
        documented = operation["responses"].get(str(answer.status))
        assert documented, f"{name} answers {answer.status}, which is not documented"
        if "$ref" in documented:
            responses = self.document["components"]["responses"]
            documented = responses[documented["$ref"].rpartition("/")[2]]
        if answer.status in _NO_BODY:
            assert answer.text == ""
            return
        media = answer.headers["content-type"].partition(";")[0]
        assert media in documented["content"], f"{name} answers with {media}"
        if media == "application/json":
            schema = documented["content"][media]["schema"]
            faults = self.faults(schema, answer.json())
            assert not faults, f"{name} answers {faults}"

    def _check_request(
        self, operation: dict[str, Any], address: str, sent: bytes, media: str
    ) -> None:
        name = operation["operationId"]
        known = {
            one["name"]: one["schema"].get("items", one["schema"])
            for one in operation.get("parameters", ())
            if one["in"] == "query"
        }
        for parameter, value in parse_qsl(urlsplit(address).query):
            assert parameter in known, f"{name} has no parameter {parameter}"
            schema = known[parameter]
            read = int(value) if schema.get("type") == "integer" else value
            flag = schema.get("type") == "boolean"
            faults = [] if flag else self.faults(schema, read, formats=None)
            assert not faults, f"{name} takes {faults}"
        takes = operation.get("requestBody")
        if takes and (sent or takes["required"]):
            schema = takes["content"][media.partition(";")[0].strip().lower()]["schema"]
            # A time may be written in more ways than its format has.
            faults = self.faults(schema, _read(sent, media), formats=None)
            assert not faults, f"{name} takes {faults}"


def _read(sent: bytes, media: str) -> Any:
    if "form" in media:
        return dict(parse_qsl(sent.decode(), keep_blank_values=True))
    return json.loads(sent)


@functools.cache
def http_contract() -> Contract:
    """The document that `/openapi.json` answers with."""
    from chalicelib.api import FAMILIES
    from chalicelib.api._openapi import document

    return Contract(json.loads(json.dumps(document(FAMILIES))))


class AnswersOnly(Contract):
    """For requests that no document allows, and which are answered all the same."""

    def _check_request(self, *_: Any) -> None:
        pass


class LiveContract:
    """The document of the live channels, as a test reads it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._contract = Contract(document)
        self.document = self._contract.document
        self.messages = {
            message["name"]: message["payload"]
            for message in document["components"]["messages"].values()
        }

    def check(self, frame: Any) -> None:
        """Fail unless a frame, or each of an array, is a documented message."""
        for message in frame if isinstance(frame, list) else [frame]:
            # Who watches pull requests is told of an `event`, all others of a `type`.
            kind = message["type"] if "type" in message else message["event"]
            told = kind if "type" in message else f"pulls_{kind}"
            # Of jobs each message comes under the name of its service, too.
            of_service = _OF_SERVICE.sub("named_job_", kind)
            named = next(
                (
                    self.messages[name]
                    for name in (told, kind, of_service)
                    if name in self.messages
                ),
                None,
            )
            # On a dashboard an event has its topic for a type, whatever that is.
            possible = [one for one in (named, self.messages["*"]) if one is not None]
            faults = [self._contract.faults(schema, message) for schema in possible]
            assert [] in faults, f"{kind}: {faults}"


@functools.cache
def live_contract() -> LiveContract:
    """The document that `/asyncapi.json` answers with."""
    from chalicelib.api._asyncapi import document

    return LiveContract(json.loads(json.dumps(document(""))))
