"""What every address shares: decode, authorise, run, and map errors to answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote

from chalice.app import Blueprint, Request, Response

from chalicelib import telemetry
from chalicelib.api._parameters import Parameter
from chalicelib.auth import Principal
from chalicelib.bootstrap import Platform, platform
from chalicelib.wire import VERSION_HEADER, check_version
from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RequestError,
    TimeoutError,  # noqa: A004
    UnavailableError,
)
from eventyard.core.wire import dumps, loads

if TYPE_CHECKING:
    from pydantic import BaseModel

#: The most a request body may have; a commit above it is refused whole.
BODY_LIMIT: Final = 5_000_000
#: The most characters a path parameter may have: no id is longer.
LONGEST_NAME: Final = 256
_STATUS: Final = {
    PayloadTooLargeError: 413,
    InvalidRequestError: 400,
    AuthenticationError: 401,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    RequestError: 502,
    UnavailableError: 503,
    TimeoutError: 504,
}
_JSON: Final = "application/json"
CONFIG: Final = "/api/v1/config"
Shape = TypeVar("Shape", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who calls, and what was sent, read on demand and checked."""

    request: Request
    platform: Platform
    principal: Principal

    def take(self, parameter: Parameter) -> Any:
        """Read a query parameter; raises InvalidRequestError naming it."""
        query = self.request.query_params
        if query is None or parameter.name not in query:
            return parameter.read([])
        return parameter.read(query.getlist(parameter.name))

    def audit(self, change: str, details: Mapping[str, Any]) -> None:
        """Tell the log who changed what, as the event `eventyard.<change>`."""
        self.platform.audit.tell(change, self.principal, details)

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        value: str | None = self.request.headers.get(name)
        return value

    @property
    def media_type(self) -> str:
        """Return the body's media type, without its parameters."""
        return (self.header("content-type") or _JSON).partition(";")[0].strip().lower()

    def raw(self) -> bytes:
        """Return the body as it came; raises PayloadTooLargeError."""
        sent = self.request.raw_body
        body = sent.encode() if isinstance(sent, str) else sent
        if len(body) > BODY_LIMIT:
            raise PayloadTooLargeError(
                f"A request body may have {BODY_LIMIT} bytes, not {len(body)}.",
                details={"limit": BODY_LIMIT, "bytes": len(body)},
            )
        return body

    def json(self) -> Any:
        """Read the body; raises InvalidRequestError or PayloadTooLargeError."""
        return loads(self.raw())

    def body(self, shape: type[Shape]) -> Shape:
        """Read a body of a shape; raises InvalidRequestError naming each field."""
        from pydantic import ValidationError

        try:
            # Where nothing must be said, an empty body says it.
            return shape.model_validate(self.json() if self.request.raw_body else {})
        except ValidationError as error:
            wrong = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
            told = "; ".join(
                f"{field or 'body'}: {why}" for field, why in wrong.items()
            )
            raise InvalidRequestError(told, details={"fields": wrong}) from None


@dataclass(frozen=True, slots=True)
class Faults:
    """How an address says what went wrong: how it is written, its shape and type."""

    #: Takes status, code, message and details.
    write: Callable[[int, str, str, Mapping[str, Any] | None], Response]
    #: By its name in `shapes`; None where it is no JSON.
    shape: str | None = "errors.Failure"
    media: str = _JSON


View = Callable[..., Any]
Decorator = Callable[[View], View]


@dataclass(frozen=True, slots=True)
class Address:
    """One documented address: what it takes and what it answers with."""

    method: str
    path: str
    scope: str | None
    view: View
    #: The query parameters it reads.
    query: tuple[Parameter, ...] = ()
    #: The headers it reads.
    headers: tuple[Parameter, ...] = ()
    #: The shape of the request's body, by its name in `shapes`: "keys.NewKey"; or
    #: one for each media type.
    body: str | Mapping[str, str] | None = None
    #: The shape of the answer, likewise, where it is JSON.
    answer: str | None = None
    #: The answer's status and media types.
    status: int = 200
    media: str | tuple[str, ...] = _JSON
    #: What else it answers with: status -> meaning, or meaning and shape. Without a
    #: shape, success looks as `answer` and a failure as all failures.
    also: Mapping[int, str | tuple[str, str]] = field(default_factory=dict)
    #: How it says what went wrong; as everywhere unless it says otherwise.
    faults: Faults = field(default_factory=lambda: OURS)

    @property
    def bodies(self) -> dict[str, str]:
        """Return the shapes of bodies by media type; empty where it takes none."""
        if self.body is None:
            return {}
        return {_JSON: self.body} if isinstance(self.body, str) else dict(self.body)

    @property
    def content_types(self) -> list[str]:
        """Return the media types that it does not refuse."""
        # A POST without a body still wants JSON: no web page elsewhere can send that
        # unasked.
        silent = self.method in ("GET", "DELETE")
        return list(self.bodies) or ["*/*" if silent else _JSON]


class Routes:
    """A blueprint whose views take a Call and return plain values."""

    def __init__(self, name: str, faults: Faults | None = None) -> None:
        self.blueprint = Blueprint(name)
        self.faults = faults or OURS
        self.addresses: list[Address] = []

    def get(self, path: str, *, scope: str | None = None, **more: Any) -> Decorator:
        """Answer GET; without a scope to everybody. `more` as in Address."""
        return self._route("GET", path, scope, more)

    def post(self, path: str, *, scope: str | None = None, **more: Any) -> Decorator:
        """Answer POST; without a scope to everybody."""
        return self._route("POST", path, scope, more)

    def put(self, path: str, *, scope: str | None = None, **more: Any) -> Decorator:
        """Answer PUT; without a scope to everybody."""
        return self._route("PUT", path, scope, more)

    def patch(self, path: str, *, scope: str | None = None, **more: Any) -> Decorator:
        """Answer PATCH; without a scope to everybody."""
        return self._route("PATCH", path, scope, more)

    def delete(self, path: str, *, scope: str | None = None, **more: Any) -> Decorator:
        """Answer DELETE; without a scope to everybody."""
        return self._route("DELETE", path, scope, more)

    def _route(
        self, method: str, path: str, scope: str | None, more: dict[str, Any]
    ) -> Decorator:
        def decorate(view: View) -> View:
            address = Address(
                method, path, scope, view, **{"faults": self.faults, **more}
            )
            _FAULTS[path] = address.faults

            @wraps(view)
            def answer(**parameters: str) -> Response:
                request: Request = self.blueprint.current_request
                return _answer(request, address, parameters)

            # One view function may answer at several addresses.
            self.blueprint.route(
                path,
                methods=[method],
                name=f"{method} {path}",
                content_types=address.content_types,
            )(answer)
            self.addresses.append(address)
            return view

        return decorate


def has_version(address: Address) -> bool:
    """Tell whether a version that is not spoken is refused there."""
    # The one address that tells which are spoken answers everybody.
    return address.path.startswith("/api/v1/") and address.path != CONFIG


def _answer(
    request: Request, address: Address, parameters: Mapping[str, str]
) -> Response:
    telemetry.incoming(request.headers)
    try:
        principal = _principal(request, address.scope)
        if has_version(address):
            check_version(request.headers.get(VERSION_HEADER))
        call = Call(request, platform(), principal)
        # Chalice hands path parameters on as they stood in the address.
        decoded = {name: unquote(value) for name, value in parameters.items()}
        _check_lengths(decoded)
        result = address.view(call, **decoded)
    except EventRouterError as error:
        return address.faults.write(
            _status_of(error), error.code, str(error), error.details
        )
    except Exception as error:  # noqa: BLE001 - the last stop before the caller
        return address.faults.write(*_unexpected(error), None)
    if isinstance(result, Response):
        return result
    return answer_json(result, address.status)


def _check_lengths(named: Mapping[str, str]) -> None:
    for name, value in named.items():
        # The table takes no key that is longer, not even to say that it is not there.
        if len(value) > LONGEST_NAME:
            raise NotFoundError(f"There is no {name} of {len(value)} characters.")


def _principal(request: Request, scope: str | None) -> Principal:
    if scope is None:
        return Principal("nobody", frozenset())
    principal = platform().gatekeeper.identify(request.headers)
    principal.require(scope)
    return principal


def answer_json(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an answer of a JSON value."""
    return Response(
        body=dumps(body),
        status_code=status,
        headers={"Content-Type": _JSON, "Cache-Control": "no-store", **(headers or {})},
    )


def failure(
    status: int, code: str, message: str, details: Mapping[str, Any] | None = None
) -> Response:
    """Make the shape that errors have, unless a family has one of its own."""
    body = {"error": {"code": code, "message": message, "details": dict(details or {})}}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004
    return answer_json(body, status, headers)


OURS: Final[Faults] = Faults(failure)
#: How the addresses of a path say what went wrong: the framework knows only paths.
_FAULTS: Final[dict[str, Faults]] = {}


def _status_of(error: EventRouterError) -> int:
    fitting = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return next(fitting, 500)


def _unexpected(error: Exception) -> tuple[int, str, str]:
    telemetry.log_error("a request failed", error)
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    if "Throttl" in code or "ThroughputExceeded" in code:
        return 503, "busy", "The platform is busy; try again shortly."
    return 500, "internal", "Something went wrong here; the log has it."


def one_shape(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: give the framework's own errors our shape as well."""
    response = get_response(event)
    body = response.body
    if response.status_code >= 400 and isinstance(body, Mapping) and "Code" in body:  # noqa: PLR2004
        code = "".join(
            "_" + c.lower() if c.isupper() else c for c in str(body["Code"])
        ).lstrip("_")
        faults = _FAULTS.get(_path_of(event), OURS)
        return faults.write(
            response.status_code,
            code.removesuffix("_error"),
            str(body["Message"]),
            None,
        )
    return response


def _path_of(event: Any) -> str:
    path: str = getattr(event, "context", {}).get("resourcePath", "")
    return path
