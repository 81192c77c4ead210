"""An identity provider on loopback: real keys, real tokens, keys served over HTTP."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE = "eventyard"


class Provider(ThreadingHTTPServer):
    """Publishes its keys, and counts how often it was asked for them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, tuple[str, Any]] = {}
        self.asked: list[str] = []
        #: What is answered instead of the keys: a status, a body and headers.
        self.instead: tuple[int, bytes, dict[str, str]] | None = None
        self.pause = threading.Event()
        self.slow = False

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "EVENTYARD_JWT_ISSUER": self.issuer,
            "EVENTYARD_JWT_AUDIENCE": AUDIENCE,
        }

    def add(self, kid: str, algorithm: str) -> None:
        """Make a key and publish it."""
        self.keys[kid] = (algorithm, _private(algorithm))

    def jwks(self) -> list[dict[str, Any]]:
        return [
            {**public_jwk(algorithm, key), "kid": kid, "use": "sig"}
            for kid, (algorithm, key) in self.keys.items()
        ]

    def token(self, kid: str, *, headers: Any = None, **claims: Any) -> str:
        """Sign a token as the provider does; a claim that is None is left out."""
        algorithm, key = self.keys[kid]
        named = {"kid": kid, **(headers or {})}
        return jwt.encode(self.claims(**claims), key, algorithm, headers=named)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "scope": "events:publish",
        }
        return {n: v for n, v in {**usual, **changes}.items() if v is not None}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps({"keys": self.server.jwks()}).encode()
        status, body, headers = self.server.instead or (200, body, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(body)

    def _send(self, body: bytes) -> None:
        try:
            while self.server.slow:
                self.wfile.write(b" ")
                self.server.pause.wait(0.05)
            self.wfile.write(body)
        except OSError:
            return  # whoever asked has hung up

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _private(algorithm: str) -> Any:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        curves = {"256": ec.SECP256R1, "384": ec.SECP384R1, "512": ec.SECP521R1}
        return ec.generate_private_key(curves[algorithm[2:]]())
    return rsa.generate_private_key(65537, 2048)


def public_jwk(algorithm: str, key: Any) -> dict[str, Any]:
    kind = get_default_algorithms()[algorithm]
    return kind.to_jwk(key.public_key(), as_dict=True)
