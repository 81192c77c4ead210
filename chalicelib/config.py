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
AnalystName = Literal["gemini", "bedrock", "offline"]
EmbeddingName = Literal["local", "openai", "gemini", "bedrock"]
_DIGITS = re.compile(r"[0-9]{1,9}")
_PRICES = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?)/([0-9]{1,4}(?:\.[0-9]{1,6})?)")
#: Names of models stand in addresses; keys and tokens in headers.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")
_SECRET = re.compile(r"[!-~]*")
_AGENT = re.compile(r"[A-Za-z_-]+[ -~]{0,180}")
_SHORTEST_KEY = 16
_EMBEDDING_KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
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
class Insights:
    """Who reads pull requests, for how much, and where their files are asked for."""

    #: `auto`: Gemini where there is a key, else the rules that need nobody.
    analyst: Literal["auto"] | AnalystName
    gemini_key: str = field(repr=False)
    gemini_model: str
    gemini_url: str
    bedrock_model: str
    #: Empty: where AWS has it.
    bedrock_url: str
    #: What one question may cost at most, in tokens that go in.
    tokens: int
    #: Of a million tokens that go in and that come out, in USD; None: not known.
    prices: tuple[float, float] | None
    github_token: str = field(repr=False)
    github_api: str

    @property
    def provider(self) -> AnalystName:
        """
        Return who reads; raises ConfigurationError where the key for it is missing.

        Not told when settings are read: functions that read no pull request are not
        given the key.
        """
        if self.analyst == "gemini" and not self.gemini_key:
            raise ConfigurationError(
                "EVENTYARD_ANALYST=gemini needs GEMINI_API_KEY; without a key choose "
                "bedrock, offline or auto."
            )
        if self.analyst == "auto":
            return "gemini" if self.gemini_key else "offline"
        return self.analyst

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that are called because an operator named them."""
        urls = (self.gemini_url, self.github_api)
        return tuple(str(urlsplit(url).hostname) for url in urls)


@dataclass(frozen=True, slots=True)
class Scraping:
    """By what name sites are asked, how often, and how contacts are hashed."""

    agent: str
    #: How far apart requests to a host are at least.
    gap_ms: int
    redaction_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Who makes vectors of texts, of which model, and how long they are."""

    provider: EmbeddingName
    #: None: the usual one of the provider.
    model: str | None
    dimension: int | None
    #: Empty: where the provider has it.
    url: str
    key: str = field(repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that are called because an operator named them."""
        return (str(urlsplit(self.url).hostname),) if self.url else ()


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
    jobs_queue_url: str
    jobs_dead_url: str
    scraping_queue_url: str
    scraping_dead_url: str
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
    insights: Insights
    scraping: Scraping
    embeddings: Embeddings


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
        jobs_queue_url=_text(env, "EVENTYARD_JOBS_QUEUE_URL"),
        jobs_dead_url=_text(env, "EVENTYARD_JOBS_DEAD_URL"),
        scraping_queue_url=_text(env, "EVENTYARD_SCRAPING_QUEUE_URL"),
        scraping_dead_url=_text(env, "EVENTYARD_SCRAPING_DEAD_URL"),
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
        insights=_insights(env),
        scraping=_scraping(env),
        embeddings=_embeddings(env),
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


def _insights(env: Mapping[str, str]) -> Insights:
    return Insights(
        analyst=_analyst(env),
        gemini_key=_secret(env, "GEMINI_API_KEY"),
        gemini_model=_model(env, "GEMINI_AI_MODEL", "gemini-2.5-flash"),
        gemini_url=_address(
            env, "EVENTYARD_GEMINI_URL", "https://generativelanguage.googleapis.com"
        ),
        bedrock_model=_model(env, "EVENTYARD_BEDROCK_MODEL", "amazon.nova-lite-v1:0"),
        bedrock_url=_address(env, "EVENTYARD_BEDROCK_URL", ""),
        tokens=_number(
            env, "EVENTYARD_AI_TOKENS", 16_000, lowest=4_000, highest=1_000_000
        ),
        prices=_prices(env),
        github_token=_secret(env, "EVENTYARD_GITHUB_TOKEN"),
        github_api=_address(env, "EVENTYARD_GITHUB_API", "https://api.github.com"),
    )


def _scraping(env: Mapping[str, str]) -> Scraping:
    agent = env.get("EVENTYARD_SCRAPER_AGENT") or "EventyardScraper/1.0"
    if not _AGENT.fullmatch(agent):
        raise ConfigurationError(
            "EVENTYARD_SCRAPER_AGENT must begin with a name of letters, - and _, and "
            "have at most 200 ASCII characters, such as AcmeBot/1.0 "
            f"(+https://acme.example/bot), not {agent[:80]!r}."
        )
    key = _secret(env, "EVENTYARD_REDACTION_KEY")
    if 0 < len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"EVENTYARD_REDACTION_KEY must have {_SHORTEST_KEY} characters or more."
        )
    gap = _number(env, "EVENTYARD_SCRAPER_GAP_MS", 200, highest=60_000)
    return Scraping(agent, gap, key)


def _embeddings(env: Mapping[str, str]) -> Embeddings:
    name = env.get("EVENTYARD_EMBEDDINGS") or "local"
    if name not in ("local", "openai", "gemini", "bedrock"):
        raise ConfigurationError(
            "EVENTYARD_EMBEDDINGS must be local, openai, gemini or bedrock, not "
            f"{name!r}."
        )
    length = _number(env, "EVENTYARD_EMBEDDING_DIMENSION", 0, highest=4_096)
    return Embeddings(
        provider=cast("EmbeddingName", name),
        model=_chosen(env, "EVENTYARD_EMBEDDING_MODEL"),
        dimension=length or None,
        url=_address(env, "EVENTYARD_EMBEDDING_URL", ""),
        # Functions that make no vectors are not given it.
        key=_secret(env, _EMBEDDING_KEYS[name]) if name in _EMBEDDING_KEYS else "",
    )


def _analyst(env: Mapping[str, str]) -> Literal["auto"] | AnalystName:
    name = env.get("EVENTYARD_ANALYST") or "auto"
    if name not in ("auto", "gemini", "bedrock", "offline"):
        raise ConfigurationError(
            f"EVENTYARD_ANALYST must be auto, gemini, bedrock or offline, not {name!r}."
        )
    return cast("AnalystName", name)


def _secret(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not _SECRET.fullmatch(value):
        # Never shown: it is most of a secret all the same.
        raise ConfigurationError(f"{name} has characters that no key has.")
    return value


def _model(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name) or default
    if not _MODEL.fullmatch(value):
        raise ConfigurationError(f"{name} is no name of a model: {value[:80]!r}.")
    return value


def _chosen(env: Mapping[str, str], name: str) -> str | None:
    return _model(env, name, "") if env.get(name) else None


def _address(env: Mapping[str, str], name: str, default: str) -> str:
    value = (env.get(name) or default).rstrip("/")
    # Keys go there: not in the clear, save on this machine.
    if value and not _is_safe(value):
        raise ConfigurationError(
            f"{name} must be an https address (http on this machine alone), not "
            f"{value[:80]!r}."
        )
    return value


def _prices(env: Mapping[str, str]) -> tuple[float, float] | None:
    text = env.get("EVENTYARD_AI_PRICES") or ""
    found = _PRICES.fullmatch(text)
    if text and found is None:
        raise ConfigurationError(
            "EVENTYARD_AI_PRICES must be two prices in USD of a million tokens, in and "
            f"out, such as 0.30/2.50, not {text[:80]!r}."
        )
    return (float(found[1]), float(found[2])) if found else None


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return secure and bool(host)
