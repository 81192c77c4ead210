"""
A request and its answer, without the ceremony of a gateway's event.

Every answer is held to the OpenAPI document, so each test of an address is a test of
what is documented of it.
"""

from __future__ import annotations

import json
from typing import Any

from tests.contract import Contract, http_contract


class Answer:
    def __init__(self, raw: Any) -> None:
        self.status: int = raw.status_code
        self.headers = {n.lower(): v for n, v in raw.headers.items()}
        self.text: str = raw.body.decode()

    def json(self) -> Any:
        return json.loads(self.text)

    def fault(self) -> dict[str, Any]:
        """What went wrong; some families tell a message alone, or draw it."""
        if not self.headers["content-type"].startswith("application/json"):
            return {"message": self.text}
        told = self.json()["error"]
        return told if isinstance(told, dict) else {"message": told}


class Http:
    """Calls the application; a body that is no text is sent as JSON."""

    def __init__(self, client: Any, contract: Contract | None = None) -> None:
        self._client = client
        self._contract = contract or http_contract()
        self.headers: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        return self._call("GET", path, None, headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self._call("POST", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self._call("PUT", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self._call("PATCH", path, body, headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self._call("DELETE", path, None, headers)

    def _call(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes | str):
            sent = body if isinstance(body, bytes) else body.encode()
        else:
            sent = b"" if body is None else json.dumps(body).encode()
        every = {"Content-Type": "application/json", **self.headers, **named}
        answer = Answer(
            self._client.http.request(method, path, headers=every, body=sent)
        )
        self._contract.check(method, path, sent, every["Content-Type"], answer)
        return answer
