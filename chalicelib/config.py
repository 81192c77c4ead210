"""The one reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import urlsplit

from eventyard.core.errors import EventRouterError

AuthMode = Literal["open", "keys"]
RendererName = Literal["auto", "wasm", "dot", "off"]
_DIGITS = re.compile(r"[0-9]{1,9}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ConfigurationError(EventRouterError):
    """A setting is missing or makes no sense."""

    code = "misconfigured"


@dataclass(frozen=True, slots=True)
class Jwt:
    """Whose JSON Web Tokens are taken, for whom they must be, where their keys are."""

    issuer: str
    audience: str
    jwks_url: str


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What a function is told by its environment.

    `.env.example` explains each `EVENTYARD_*` variable; the names of resources are
    put into the environment by infra/template.py.
    """

    stage: str
    table: str
    bucket: str
    topic_arn: str
    routing_queue_url: str
    routing_dead_url: str
    live_queue_url: str
    live_dead_url: str
    relay_dead_url: str
    deliveries_queue_url: str
    deliveries_dead_url: str
    urgent_queue_url: str
    urgent_dead_url: str
    chores_queue_url: str
    chores_dead_url: str
    pulls_queue_url: str
    pulls_dead_url: str
    insights_queue_url: str
    insights_dead_url: str
    #: Where frames are posted; empty means the address stored with the connection.
    live_endpoint: str
    #: The WebSocket address that pages and clients are told; empty means same host.
    live_url: str
    auth: AuthMode
    log_shards: int
    retention_days: int
    #: Connections above this are turned away; 0 means no limit.
    max_clients: int
    #: Hosts, addresses and networks that may be called though they are not public.
    allow_private_hosts: str
    #: How the names of queues begin that subscriptions may send to.
    target_queues: str
    #: What draws graphs.
    renderer: RendererName
    #: None: API keys alone are taken.
    jwt: Jwt | None
    #: What GitHub signs its deliveries with; empty: none are taken unless all is open.
    github_secret: str = field(repr=False)


def from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """
    Read every setting once.

    Raises ConfigurationError when one is missing or of the wrong kind.
    """
    env = os.environ if env is None else env
    return Settings(
        stage=_text(env, "EVENTYARD_STAGE", "dev"),
        table=_text(env, "EVENTYARD_TABLE"),
        bucket=_text(env, "EVENTYARD_BUCKET"),
        topic_arn=_text(env, "EVENTYARD_TOPIC_ARN"),
        routing_queue_url=_text(env, "EVENTYARD_ROUTING_QUEUE_URL"),
        routing_dead_url=_text(env, "EVENTYARD_ROUTING_DEAD_URL"),
        live_queue_url=_text(env, "EVENTYARD_LIVE_QUEUE_URL"),
        live_dead_url=_text(env, "EVENTYARD_LIVE_DEAD_URL"),
        relay_dead_url=_text(env, "EVENTYARD_RELAY_DEAD_URL"),
        deliveries_queue_url=_text(env, "EVENTYARD_DELIVERIES_QUEUE_URL"),
        deliveries_dead_url=_text(env, "EVENTYARD_DELIVERIES_DEAD_URL"),
        urgent_queue_url=_text(env, "EVENTYARD_URGENT_QUEUE_URL"),
        urgent_dead_url=_text(env, "EVENTYARD_URGENT_DEAD_URL"),
        chores_queue_url=_text(env, "EVENTYARD_CHORES_QUEUE_URL"),
        chores_dead_url=_text(env, "EVENTYARD_CHORES_DEAD_URL"),
        pulls_queue_url=_text(env, "EVENTYARD_PULLS_QUEUE_URL"),
        pulls_dead_url=_text(env, "EVENTYARD_PULLS_DEAD_URL"),
        insights_queue_url=_text(env, "EVENTYARD_INSIGHTS_QUEUE_URL"),
        insights_dead_url=_text(env, "EVENTYARD_INSIGHTS_DEAD_URL"),
        live_endpoint=_text(env, "EVENTYARD_LIVE_ENDPOINT", ""),
        live_url=_text(env, "EVENTYARD_LIVE_URL", ""),
        auth=_auth(env),
        log_shards=_number(env, "EVENTYARD_LOG_SHARDS", 1, lowest=1, highest=32),
        retention_days=_number(env, "EVENTYARD_RETENTION_DAYS", 30, lowest=1),
        max_clients=_number(env, "EVENTYARD_MAX_CLIENTS", 0),
        allow_private_hosts=_text(env, "EVENTYARD_ALLOW_PRIVATE_HOSTS", ""),
        target_queues=_text(env, "EVENTYARD_TARGET_QUEUES", "eventyard-target-"),
        renderer=_renderer(env),
        jwt=_jwt(env),
        github_secret=_text(env, "EVENTYARD_GITHUB_SECRET", ""),
    )


def _text(env: Mapping[str, str], name: str, default: str | None = None) -> str:
    value = env.get(name, default)
    if value is None:
        raise ConfigurationError(f"The environment variable {name} is not set.")
    return value


def _number(
    env: Mapping[str, str],
    name: str,
    default: int,
    *,
    lowest: int = 0,
    highest: int = 100_000,
) -> int:
    text = env.get(name) or str(default)
    if not _DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
        raise ConfigurationError(
            f"{name} must be a whole number from {lowest} to {highest}, not {text!r}."
        )
    return int(text)


def _auth(env: Mapping[str, str]) -> AuthMode:
    # Whoever forgets the variable gets the closed door.
    mode = env.get("EVENTYARD_AUTH") or "keys"
    if mode not in ("open", "keys"):
        raise ConfigurationError(f"EVENTYARD_AUTH must be open or keys, not {mode!r}.")
    return cast("AuthMode", mode)


def _renderer(env: Mapping[str, str]) -> RendererName:
    name = env.get("EVENTYARD_RENDERER") or "auto"
    if name not in ("auto", "wasm", "dot", "off"):
        raise ConfigurationError(
            f"EVENTYARD_RENDERER must be auto, wasm, dot or off, not {name!r}."
        )
    return cast("RendererName", name)


def _jwt(env: Mapping[str, str]) -> Jwt | None:
    issuer = env.get("EVENTYARD_JWT_ISSUER") or ""
    audience = env.get("EVENTYARD_JWT_AUDIENCE") or ""
    url = env.get("EVENTYARD_JWT_JWKS_URL") or ""
    if not (issuer or audience or url):
        return None
    # A token of the same issuer for somebody else must not open this door.
    for name, value in (("ISSUER", issuer), ("AUDIENCE", audience)):
        if not value:
            raise ConfigurationError(
                f"EVENTYARD_JWT_{name} is missing: tokens need issuer and audience."
            )
    url = url or f"{issuer.rstrip('/')}/.well-known/jwks.json"
    if not _is_safe(url):
        raise ConfigurationError(
            "EVENTYARD_JWT_JWKS_URL must be an https address (http on this machine "
            f"alone), not {url!r}; without it the issuer must be one."
        )
    return Jwt(issuer, audience, url)


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return secure and bool(host)
