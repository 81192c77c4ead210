"""What a client shows to a platform: a key, a token, a certificate."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from ssl import SSLContext

#: Each kind with what it needs.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("key",),
    "jwt": ("token",),
    "mtls": ("cert", "key"),
}


class Credentials:
    """Reads `auth` once; a token that somebody makes is asked for when it is needed."""

    def __init__(self, auth: Mapping[str, Any]) -> None:
        self._auth = auth
        self._kind = _checked(auth)
        self._token: str | None = None
        self._making = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Return the headers that say who calls."""
        secret = await self._secret()
        return {"Authorization": f"Bearer {secret}"} if secret else {}

    async def _secret(self) -> str | None:
        if self._kind == "api_key":
            return str(self._auth["key"])
        if self._kind != "jwt":
            return None
        async with self._making:
            if self._token is None:
                self._token = await _made(self._auth["token"])
            return self._token

    @property
    def is_renewable(self) -> bool:
        """Tell whether another token may be had."""
        return self._kind == "jwt" and callable(self._auth["token"])

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget a token that was refused; tell whether another may be had."""
        if not self.is_renewable:
            return False
        # Somebody else may have another one by now.
        if refused.get("Authorization") == f"Bearer {self._token}":
            self._token = None
        return True

    def ssl(self) -> SSLContext | bool:
        """Return how a server is checked, and what is shown to it; True: as usual."""
        authority = self._auth.get("ca")
        if self._kind != "mtls" and authority is None:
            return True
        import ssl

        try:
            context = ssl.create_default_context(cafile=authority)
            if self._kind == "mtls":
                context.load_cert_chain(self._auth["cert"], self._auth["key"])
        except (OSError, ssl.SSLError) as error:
            raise InvalidRequestError(
                f"The certificate cannot be used ({error}): `cert`, `key` and `ca` are "
                "paths of files in PEM format."
            ) from error
        return context


def _checked(auth: Mapping[str, Any]) -> str:
    if not auth:
        return ""
    kind = str(auth.get("type"))
    if kind not in _NEEDED:
        raise InvalidRequestError(
            f"There is no auth type {kind!r}; there are {', '.join(_NEEDED)}."
        )
    for name in _NEEDED[kind]:
        if not auth.get(name):
            raise InvalidRequestError(f"auth of type {kind} needs {name!r}.")
    return kind


async def _made(token: Any) -> str:
    made = token() if callable(token) else token
    return str(await made if inspect.isawaitable(made) else made)
