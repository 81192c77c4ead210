"""A platform's own function called directly: AWS checks who calls, by IAM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from eventyard.core.jsontext import dumps
from eventyard.settings import Settings
from eventyard.transports import _wire
from eventyard.transports._calls import Calls, Question
from eventyard.transports._routes import routed
from eventyard.transports.http import HttpTransport

_CONFIG: Final = "/api/v1/config"
_USUAL_STAGE: Final = "prod"
#: What is told in `connection` and handed to boto3 as it is.
_CLIENT: Final = ("region_name", "endpoint_url", "profile_name")
_CREDENTIALS: Final = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
)
#: What AWS says, and what that is here.
_REFUSED: Final[Mapping[str, type[EventRouterError]]] = {
    "AccessDeniedException": PermissionDeniedError,
    "ExpiredTokenException": AuthenticationError,
    "InvalidSignatureException": AuthenticationError,
    "UnrecognizedClientException": AuthenticationError,
    "ResourceNotFoundException": NotFoundError,
    "TooManyRequestsException": UnavailableError,
    "ThrottlingException": UnavailableError,
    "ServiceException": UnavailableError,
}


class AwsTransport(HttpTransport):
    """
    A client of a platform in an account of AWS, without API Gateway in between.

    It needs `lambda:InvokeFunction` of the function `eventyard-<stage>-api` and nothing
    else; where the platform asks for keys, `auth` is sent along. The address is
    `aws://<stage>`; `connection` may have `function`, `region_name`, `endpoint_url`,
    `profile_name`, or credentials as boto3 names them.
    """

    name = "aws"

    def __init__(self, settings: Settings, client_id: str) -> None:
        super().__init__(settings, client_id, _Invocations(settings))


class _Invocations(Calls):
    """Makes calls by invoking the function that answers them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, base=_function_of(settings))
        self._function = _function_of(settings)
        self._client: Any = None

    async def open(self) -> None:
        """Find the function, and agree on a version with it."""
        if self._client is not None:
            return
        self._client = await asyncio.to_thread(_new_client, self.settings)
        try:
            self.config = await self.ask(Question("GET", _CONFIG))
            self.version = _wire.agreed(self.config)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of all connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _exchange(
        self, question: Question, credentials: Mapping[str, str]
    ) -> tuple[int, bytes, str | None]:
        if self._client is None:
            raise ConnectionError("The client is not connected: await connect() first.")
        told = {**self._headers(credentials), **(question.headers or {})}
        answer = await asyncio.to_thread(self._invoke, _request(question, told))
        headers = {k.lower(): v for k, v in (answer.get("headers") or {}).items()}
        body = str(answer.get("body") or "").encode()
        return int(answer["statusCode"]), body, headers.get("retry-after")

    def _invoke(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(request).encode()
            )
            answer = json.loads(told["Payload"].read())
        except ClientError as error:
            raise _refusal(error.response.get("Error", {}), self._function) from error
        except BotoCoreError as error:
            raise ConnectionError(f"AWS does not answer: {error}") from error
        if told.get("FunctionError") or "statusCode" not in answer:
            # It died, or ran out of time: the same call may be made again.
            raise UnavailableError(f"The function {self._function} failed.")
        return dict(answer)


def _function_of(settings: Settings) -> str:
    named = settings.connection.get("function")
    if named:
        return str(named)
    stage = urlsplit(settings.url).netloc or _USUAL_STAGE
    return f"eventyard-{stage}-api"


def _new_client(settings: Settings) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise InvalidRequestError(
            "AWS needs a library: pip install 'eventyard[aws]'"
        ) from None
    told = settings.connection
    session = boto3.session.Session(
        profile_name=told.get("profile_name"), region_name=told.get("region_name")
    )
    more = {name: told[name] for name in _CREDENTIALS if name in told}
    # The client tries again itself, and knows what may be.
    config = Config(
        max_pool_connections=settings.pool_size + 20,
        read_timeout=settings.pool_timeout + 30,
        retries={"max_attempts": 0},
    )
    return session.client(
        "lambda", endpoint_url=told.get("endpoint_url"), config=config, **more
    )


def _request(question: Question, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return a call as API Gateway hands it to the function."""
    resource, parameters = routed(question.path)
    query: dict[str, list[str]] = {}
    for name, value in question.query:
        query.setdefault(name, []).append(value)
    return {
        "resource": resource,
        "path": question.path,
        "httpMethod": question.method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: found[-1] for name, found in query.items()}
        or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": question.method,
            "path": question.path,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None if question.body is None else dumps(question.body),
        "isBase64Encoded": False,
    }


def _refusal(told: Mapping[str, Any], function: str) -> EventRouterError:
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    kind = _REFUSED.get(code, EventRouterError)
    if kind is NotFoundError:
        message = (
            f"There is no function {function} here: is the stage right (aws://<stage>), "
            "and the region?"
        )
    return kind(message or f"AWS refuses the call: {code}.", details={"code": code})
