from __future__ import annotations

import pytest

from chalicelib import config

NEEDED = {
    "EVENTYARD_TABLE": "t",
    "EVENTYARD_BUCKET": "b",
    "EVENTYARD_TOPIC_ARN": "arn",
    "EVENTYARD_ROUTING_QUEUE_URL": "r",
    "EVENTYARD_ROUTING_DEAD_URL": "rd",
    "EVENTYARD_LIVE_QUEUE_URL": "l",
    "EVENTYARD_LIVE_DEAD_URL": "ld",
    "EVENTYARD_RELAY_DEAD_URL": "sd",
    "EVENTYARD_DELIVERIES_QUEUE_URL": "d",
    "EVENTYARD_DELIVERIES_DEAD_URL": "dd",
    "EVENTYARD_URGENT_QUEUE_URL": "u",
    "EVENTYARD_URGENT_DEAD_URL": "ud",
    "EVENTYARD_CHORES_QUEUE_URL": "c",
    "EVENTYARD_PULLS_QUEUE_URL": "p",
    "EVENTYARD_PULLS_DEAD_URL": "pd",
    "EVENTYARD_INSIGHTS_QUEUE_URL": "i",
    "EVENTYARD_INSIGHTS_DEAD_URL": "id",
    "EVENTYARD_JOBS_QUEUE_URL": "j",
    "EVENTYARD_JOBS_DEAD_URL": "jd",
    "EVENTYARD_SCRAPING_QUEUE_URL": "s",
    "EVENTYARD_SCRAPING_DEAD_URL": "sd",
    "EVENTYARD_CHORES_DEAD_URL": "cd",
}
TOKENS = {
    "EVENTYARD_JWT_ISSUER": "https://id.test/",
    "EVENTYARD_JWT_AUDIENCE": "eventyard",
}


def test_what_may_be_left_out_has_its_default():
    settings = config.from_environment(NEEDED)

    assert settings.stage == "dev"
    assert settings.jwt is None
    assert settings.allow_private_hosts == ""
    assert settings.target_queues == "eventyard-target-"
    assert (settings.log_shards, settings.retention_days) == (1, 30)
    assert (settings.max_clients, settings.live_endpoint, settings.live_url) == (
        0,
        "",
        "",
    )


def test_whoever_forgets_to_choose_gets_the_closed_door():
    assert config.from_environment(NEEDED).auth == "keys"
    assert config.from_environment({**NEEDED, "EVENTYARD_AUTH": ""}).auth == "keys"


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_resource_is_named(missing):
    env = {name: value for name, value in NEEDED.items() if name != missing}

    with pytest.raises(config.ConfigurationError, match=missing):
        config.from_environment(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENTYARD_AUTH", "maybe"),
        ("EVENTYARD_RENDERER", "paint"),
        ("EVENTYARD_AUTH", "Open"),
        ("EVENTYARD_LOG_SHARDS", "0"),
        ("EVENTYARD_LOG_SHARDS", "33"),
        ("EVENTYARD_LOG_SHARDS", "two"),
        ("EVENTYARD_LOG_SHARDS", "-1"),
        ("EVENTYARD_LOG_SHARDS", "1.5"),
        ("EVENTYARD_LOG_SHARDS", "²"),
        ("EVENTYARD_RETENTION_DAYS", "0"),
        ("EVENTYARD_RETENTION_DAYS", "9" * 5_000),
        ("EVENTYARD_MAX_CLIENTS", "many"),
        ("EVENTYARD_JWT_JWKS_URL", "http://id.test/keys"),
        ("EVENTYARD_JWT_JWKS_URL", "ftp://id.test/keys"),
        ("EVENTYARD_JWT_JWKS_URL", "https:///keys"),
        ("EVENTYARD_JWT_JWKS_URL", "https://id.test:x/keys"),
        ("EVENTYARD_JWT_JWKS_URL", "http://localhost.id.test/keys"),
        ("EVENTYARD_JWT_JWKS_URL", "keys.json"),
        ("EVENTYARD_ANALYST", "oracle"),
        ("EVENTYARD_ANALYST", "Gemini"),
        ("GEMINI_AI_MODEL", "../secrets?x="),
        ("GEMINI_AI_MODEL", "a b"),
        ("EVENTYARD_BEDROCK_MODEL", "é"),
        ("EVENTYARD_GEMINI_URL", "http://models.test"),
        ("EVENTYARD_BEDROCK_URL", "models.test"),
        ("EVENTYARD_GITHUB_API", "http://github.test/api/v3"),
        ("EVENTYARD_AI_TOKENS", "3999"),
        ("EVENTYARD_AI_TOKENS", "many"),
        ("EVENTYARD_AI_PRICES", "0.3"),
        ("EVENTYARD_AI_PRICES", "0.3/x"),
        ("EVENTYARD_AI_PRICES", "-1/2"),
        ("EVENTYARD_EMBEDDINGS", "oracle"),
        ("EVENTYARD_EMBEDDINGS", "Local"),
        ("EVENTYARD_EMBEDDING_MODEL", "a b"),
        ("EVENTYARD_EMBEDDING_DIMENSION", "4097"),
        ("EVENTYARD_EMBEDDING_DIMENSION", "many"),
        ("EVENTYARD_EMBEDDING_URL", "http://models.test"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(name, value):
    with pytest.raises(config.ConfigurationError, match=name):
        config.from_environment({**NEEDED, **TOKENS, name: value})


def test_every_setting_is_read():
    given = {
        **NEEDED,
        "EVENTYARD_STAGE": "prod",
        "EVENTYARD_LIVE_ENDPOINT": "http://e",
        "EVENTYARD_LIVE_URL": "ws://u",
        "EVENTYARD_AUTH": "open",
        "EVENTYARD_LOG_SHARDS": "32",
        "EVENTYARD_RETENTION_DAYS": "1",
        "EVENTYARD_MAX_CLIENTS": "7",
        "EVENTYARD_ALLOW_PRIVATE_HOSTS": "localhost,10.0.0.0/8",
        "EVENTYARD_TARGET_QUEUES": "team-",
        "EVENTYARD_RENDERER": "wasm",
        "EVENTYARD_JWT_ISSUER": "https://id.test/",
        "EVENTYARD_JWT_AUDIENCE": "us",
        "EVENTYARD_JWT_JWKS_URL": "http://[::1]:8080/keys",
        "EVENTYARD_GITHUB_SECRET": "hush",
        "EVENTYARD_ANALYST": "bedrock",
        "GEMINI_API_KEY": " key\n",
        "GEMINI_AI_MODEL": "gemini-9",
        "EVENTYARD_GEMINI_URL": "http://127.0.0.1:1/",
        "EVENTYARD_BEDROCK_MODEL": "us.amazon.nova-pro-v1:0",
        "EVENTYARD_BEDROCK_URL": "https://bedrock.test",
        "EVENTYARD_AI_TOKENS": "4000",
        "EVENTYARD_AI_PRICES": "0.30/2.5",
        "EVENTYARD_GITHUB_TOKEN": "token",
        "EVENTYARD_GITHUB_API": "https://github.test/api/v3/",
        "EVENTYARD_SCRAPER_AGENT": "AcmeBot/1.0 (+https://acme.test/bot)",
        "EVENTYARD_SCRAPER_GAP_MS": "1500",
        "EVENTYARD_REDACTION_KEY": " sixteen-letters!\n",
        "EVENTYARD_EMBEDDINGS": "openai",
        "OPENAI_API_KEY": " openai-key\n",
        "EVENTYARD_EMBEDDING_MODEL": "text-embedding-3-large",
        "EVENTYARD_EMBEDDING_DIMENSION": "1024",
        "EVENTYARD_EMBEDDING_URL": "http://127.0.0.1:2/",
    }

    assert config.from_environment(given) == config.Settings(
        stage="prod",
        table="t",
        bucket="b",
        topic_arn="arn",
        routing_queue_url="r",
        routing_dead_url="rd",
        live_queue_url="l",
        live_dead_url="ld",
        relay_dead_url="sd",
        deliveries_queue_url="d",
        deliveries_dead_url="dd",
        urgent_queue_url="u",
        urgent_dead_url="ud",
        chores_queue_url="c",
        pulls_queue_url="p",
        pulls_dead_url="pd",
        insights_queue_url="i",
        insights_dead_url="id",
        jobs_queue_url="j",
        jobs_dead_url="jd",
        scraping_queue_url="s",
        scraping_dead_url="sd",
        chores_dead_url="cd",
        live_endpoint="http://e",
        live_url="ws://u",
        auth="open",
        log_shards=32,
        retention_days=1,
        max_clients=7,
        allow_private_hosts="localhost,10.0.0.0/8",
        target_queues="team-",
        renderer="wasm",
        jwt=config.Jwt("https://id.test/", "us", "http://[::1]:8080/keys"),
        github_secret="hush",
        insights=config.Insights(
            analyst="bedrock",
            gemini_key="key",
            gemini_model="gemini-9",
            gemini_url="http://127.0.0.1:1",
            bedrock_model="us.amazon.nova-pro-v1:0",
            bedrock_url="https://bedrock.test",
            tokens=4_000,
            prices=(0.3, 2.5),
            github_token="token",
            github_api="https://github.test/api/v3",
        ),
        scraping=config.Scraping(
            agent="AcmeBot/1.0 (+https://acme.test/bot)",
            gap_ms=1_500,
            redaction_key="sixteen-letters!",
        ),
        embeddings=config.Embeddings(
            provider="openai",
            model="text-embedding-3-large",
            dimension=1_024,
            url="http://127.0.0.1:2",
            key="openai-key",
        ),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENTYARD_SCRAPER_AGENT", "1.0"),
        ("EVENTYARD_SCRAPER_AGENT", "Bot\r\nCookie: x"),
        ("EVENTYARD_SCRAPER_AGENT", "B" * 999 + "ö"),
        ("EVENTYARD_SCRAPER_GAP_MS", "60001"),
        ("EVENTYARD_REDACTION_KEY", "fifteen-letters"),
    ],
)
def test_a_scraper_has_a_name_manners_and_a_long_key(name, value):
    with pytest.raises(config.ConfigurationError, match=name):
        config.from_environment({**NEEDED, name: value})


@pytest.mark.parametrize("issuer", ["https://id.test", "https://id.test/"])
def test_an_issuers_keys_are_where_they_usually_are(issuer):
    settings = config.from_environment(
        {**NEEDED, **TOKENS, "EVENTYARD_JWT_ISSUER": issuer}
    )

    assert settings.jwt is not None
    assert settings.jwt.issuer == issuer
    assert settings.jwt.jwks_url == "https://id.test/.well-known/jwks.json"


@pytest.mark.parametrize("missing", TOKENS)
def test_tokens_need_both_an_issuer_and_an_audience(missing):
    given = {name: value for name, value in TOKENS.items() if name != missing}

    with pytest.raises(config.ConfigurationError, match=missing):
        config.from_environment({**NEEDED, **given})


def test_an_issuer_that_is_no_address_needs_the_address_of_its_keys():
    given = {**NEEDED, **TOKENS, "EVENTYARD_JWT_ISSUER": "accounts"}

    with pytest.raises(config.ConfigurationError, match="JWKS_URL"):
        config.from_environment(given)


def test_an_empty_number_is_the_default():
    settings = config.from_environment({**NEEDED, "EVENTYARD_LOG_SHARDS": ""})

    assert settings.log_shards == 1


def insights(**given):
    return config.from_environment({**NEEDED, **given}).insights


def test_pull_requests_are_read_by_rules_alone_unless_there_is_a_key():
    told = insights()

    assert told.provider == "offline"
    assert (told.tokens, told.prices, told.github_token) == (16_000, None, "")
    assert told.hosts == ("generativelanguage.googleapis.com", "api.github.com")
    assert insights(GEMINI_API_KEY="k").provider == "gemini"
    assert insights(GEMINI_API_KEY="k", EVENTYARD_ANALYST="offline").provider == (
        "offline"
    )
    assert insights(EVENTYARD_ANALYST="bedrock").provider == "bedrock"


def test_gemini_needs_a_key_only_where_it_is_asked():
    # Most functions are told who reads, and are not given the key.
    told = insights(EVENTYARD_ANALYST="gemini")

    with pytest.raises(config.ConfigurationError, match="GEMINI_API_KEY"):
        _ = told.provider
    assert insights(EVENTYARD_ANALYST="gemini", GEMINI_API_KEY="k").provider == (
        "gemini"
    )


def test_vectors_are_made_here_unless_somebody_is_named_and_hosts_are_known():
    told = config.from_environment({**NEEDED, "OPENAI_API_KEY": "k"}).embeddings
    assert (told.provider, told.key, told.hosts) == ("local", "", ())
    named = {"EVENTYARD_EMBEDDINGS": "gemini", "GEMINI_API_KEY": "hunter2"}
    url = {"EVENTYARD_EMBEDDING_URL": "https://models.test/x"}
    settings = config.from_environment({**NEEDED, **named, **url})
    assert settings.embeddings.hosts == ("models.test",)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "EVENTYARD_GITHUB_TOKEN"])
def test_no_secret_is_ever_shown(name):
    settings = config.from_environment({**NEEDED, name: "hunter2"})

    assert "hunter2" not in repr(settings)
    with pytest.raises(config.ConfigurationError, match=name) as caught:
        config.from_environment({**NEEDED, name: "hunter2\r\nX-Y: z"})
    assert "hunter2" not in str(caught.value)
