"""Posting to WebSocket connections through API Gateway's management interface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from chalicelib.aws import Aws
from eventyard.core.errors import EventRouterError

if TYPE_CHECKING:
    from botocore.auth import SigV4Auth
    from urllib3 import BaseHTTPResponse, PoolManager

_TIMEOUT_SECONDS: Final = 5.0
_GONE: Final = 410


class GatewayError(EventRouterError):
    """The gateway did not take a frame; it may next time."""

    code = "gateway_failed"
    retryable = True


class Gateway(Protocol):
    """
    What live delivery needs of a gateway.

    Behind a protocol because no emulator can be told to lose a connection at a
    chosen moment.
    """

    def post(self, endpoint: str, connection_id: str, text: str) -> bool:
        """Send one frame; False when the connection is gone. Raises GatewayError."""
        ...

    def close(self, endpoint: str, connection_id: str) -> None:
        """Close a connection from our side; one that is gone already is fine."""
        ...

    def is_open(self, endpoint: str, connection_id: str) -> bool:
        """Ask whether the connection still stands. Raises GatewayError."""
        ...


@dataclass
class HttpGateway:
    """
    The management interface over plain signed HTTP.

    botocore's client for it costs 0.7 ms of CPU a post, and a fan-out is mostly
    posts; signing with botocore and sending with urllib3, which it brings, costs a
    third. `override` replaces the stored address of every connection.
    """

    aws: Aws
    override: str = ""

    @cached_property
    def _pool(self) -> PoolManager:
        from urllib3 import PoolManager, Timeout

        timeout = Timeout(connect=2.0, read=_TIMEOUT_SECONDS)
        return PoolManager(maxsize=32, timeout=timeout, retries=False)

    @cached_property
    def _signer(self) -> SigV4Auth:
        from botocore.auth import SigV4Auth

        session = self.aws.session
        region = session.get_config_variable("region")
        credentials: Any = session.get_credentials()
        return SigV4Auth(credentials, "execute-api", region)

    def post(self, endpoint: str, connection_id: str, text: str) -> bool:
        """Send one frame; False when the connection is gone. Raises GatewayError."""
        return self._call("POST", endpoint, connection_id, text.encode())

    def close(self, endpoint: str, connection_id: str) -> None:
        """Close a connection from our side; one that is gone already is fine."""
        self._call("DELETE", endpoint, connection_id, b"")

    def is_open(self, endpoint: str, connection_id: str) -> bool:
        """Ask whether the connection still stands. Raises GatewayError."""
        return self._call("GET", endpoint, connection_id, b"")

    def _call(
        self, method: str, endpoint: str, connection_id: str, body: bytes
    ) -> bool:
        base = self.override or endpoint
        url = f"{base}/%40connections/{quote(connection_id, safe='')}"
        answer = self._send(method, url, body)
        if answer.status == _GONE:
            return False
        if answer.status >= 300:  # noqa: PLR2004
            raise GatewayError(f"The gateway answered {answer.status}.")
        return True

    def _send(self, method: str, url: str, body: bytes) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError

        try:
            return self._pool.request(
                method, url, body=body, headers=self._sign(method, url, body)
            )
        except HTTPError as error:
            raise GatewayError(f"The gateway did not answer: {error}") from error

    def _sign(self, method: str, url: str, body: bytes) -> Any:
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method=method, url=url, data=body)
        self._signer.add_auth(request)
        return dict(request.headers.items())
