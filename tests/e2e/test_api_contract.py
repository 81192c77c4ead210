"""Every address, asked what its document allows and much that it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import http_contract
from tests.e2e.running import RunningPlatform

#: Made without a database of what failed before, so that every run asks the same.
_ALIKE = settings(deadline=None, derandomize=True, database=None)
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_BESIDE_THE_POINT = {
    # That nobody answered in time is what a 504 there says.
    "/api/v1/requests": not_a_server_error,
    # It is held to be an object for each event; the document says what each is: text.
    "/api/v1/events/stream": response_schema_conformance,
}
#: The document as tests read it: an answer with a field it does not name fails, too.
schema = schemathesis.openapi.from_dict(http_contract().document)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform of its own: whatever can be deleted here may be."""
    platform = RunningPlatform(tmp_path_factory.mktemp("asked"))
    platform.start()
    yield platform
    platform.stop()


def ask(case: Case, platform: RunningPlatform) -> None:
    _hurry(case)
    case.call_and_validate(
        base_url=platform.address,
        timeout=35,
        checks=[c for c in _CHECKS if c is not _BESIDE_THE_POINT.get(case.path)],
    )


def _hurry(case: Case) -> None:
    """Let nobody wait for what does not come: nobody answers or publishes here."""
    if case.path == "/api/v1/requests" and isinstance(case.body, dict):
        wanted = case.body.get("timeout_s", 5)
        if isinstance(wanted, int | float) and 0.1 <= wanted <= 25:
            case.body["timeout_s"] = 0.1
    if case.path == "/api/v1/events/stream" and case.method == "GET":
        case.query = {"wait": 0, **(case.query or {})}


@schema.parametrize()
@settings(_ALIKE, max_examples=4)
def test_every_answer_is_a_documented_one(case: Case, asked: RunningPlatform) -> None:
    ask(case, asked)


def test_a_path_with_a_new_line_is_answered_by_the_platform(
    asked: RunningPlatform,
) -> None:
    status, told = asked.request("GET", "/api/v1/events/a%0Ab")

    assert (status, told["error"]["code"]) == (404, "not_found")


@pytest.mark.soak
@schema.parametrize()
@settings(_ALIKE, max_examples=12)
def test_every_answer_is_a_documented_one_for_long(
    case: Case, asked: RunningPlatform
) -> None:
    ask(case, asked)
