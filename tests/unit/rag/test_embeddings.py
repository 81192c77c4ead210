"""Vectors from vendors: real HTTP, what they refuse, and what is asked for only once."""

from __future__ import annotations

import asyncio
import os

import pytest

from eventyard.core.errors import InvalidRequestError
from eventyard.rag import EmbeddingProvider, EmbeddingService, hashing
from eventyard.rag.vendors import BusyError, EmbeddingError
from eventyard.telemetry import (
    TelemetryConfig,
    setup_telemetry,
    shutdown_telemetry,
)
from tests.awaiting import awaited
from tests.bedrockserver import ACCESS_KEY, SECRET_KEY
from tests.embeddingservers import OPENAI_KEY, Gemini, OpenAI, Titan, openai_refusal
from tests.geminiserver import KEY as GEMINI_KEY
from tests.loopback import Reply
from tests.otlp import Collector
from tests.unit.rag.keeping import Kept


def service_of(name, server, **more):
    keys = {"openai": OPENAI_KEY, "gemini": GEMINI_KEY, "bedrock": None}
    made = EmbeddingService(name, keys[name], base_url=server.origin, **more)
    made.slept = []

    async def sleep(seconds):
        made.slept.append(seconds)

    made._sleep = sleep
    return made


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "EVENTYARD_EMBEDDINGS"):
        monkeypatch.delenv(name, raising=False)
    # moto, where it is on for other tests, puts its own in their place.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def openai():
    with OpenAI() as server:
        yield server


@pytest.fixture(params=["openai", "gemini", "bedrock"])
def vendor(request):
    with {"openai": OpenAI, "gemini": Gemini, "bedrock": Titan}[
        request.param
    ]() as server:
        yield request.param, server


@awaited
async def test_each_vendor_answers_each_text_with_its_own_vector(vendor):
    name, server = vendor
    service = service_of(name, server)
    lengths = {"openai": 1_536, "gemini": 3_072, "bedrock": 1_024}

    found = await service.embed_batch(["one", "two", "one"])

    assert service.dimension == lengths[name]
    assert found[0] == found[2] == pytest.approx(hashing.embed("one", lengths[name]))
    assert found[1] == pytest.approx(hashing.embed("two", lengths[name]))
    assert (service.provider, service.cache_stats()["entries"]) == (name, 2)


@awaited
async def test_the_length_can_be_asked_for_where_the_model_leaves_it_open(vendor):
    name, server = vendor
    service = service_of(name, server, dimension=256)

    assert len(await service.embed("one")) == 256


@awaited
async def test_the_large_model_has_larger_vectors(openai):
    service = service_of("openai", openai, model="text-embedding-3-large")

    assert len(await service.embed("one")) == 3_072


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("openai", "OPENAI_API_KEY"), ("gemini", "GEMINI_API_KEY")],
)
def test_without_a_key_it_says_which_one(provider, variable):
    with pytest.raises(ValueError, match=variable):
        EmbeddingService(provider)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        EmbeddingService()


def test_local_and_bedrock_need_no_key_and_others_do_not_exist():
    assert EmbeddingService("local").dimension == 256
    assert EmbeddingService(EmbeddingProvider.BEDROCK).dimension == 1_024
    with pytest.raises(ValueError, match="there are openai, gemini, bedrock, local"):
        EmbeddingService("cohere")
    with pytest.raises(InvalidRequestError, match="dimension"):
        EmbeddingService("openai", "k", "a-model-of-tomorrow")
    assert EmbeddingService("openai", "k", "tomorrow", dimension=9).dimension == 9


@awaited
async def test_from_env_takes_what_the_environment_or_a_file_says(
    monkeypatch, tmp_path
):
    assert EmbeddingService.from_env().provider == "local"
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert EmbeddingService.from_env().provider == "openai"
    monkeypatch.setenv("EVENTYARD_EMBEDDINGS", "local")
    monkeypatch.setenv("EVENTYARD_EMBEDDING_DIMENSION", "64")
    assert EmbeddingService.from_env().dimension == 64
    monkeypatch.delenv("EVENTYARD_EMBEDDING_DIMENSION")
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nexport EVENTYARD_EMBEDDINGS='gemini'\nGEMINI_API_KEY=k\n"
    )
    made = EmbeddingService.from_env(dotenv_path=file)
    assert (made.provider, made.embedder.key) == ("gemini", "k")
    assert EmbeddingService.from_env("local", file).provider == "local"
    assert EmbeddingService.from_env(dotenv_path=tmp_path / "none").provider == "local"
    assert " key='k'" not in repr(made.embedder)
    assert "GEMINI_API_KEY" not in os.environ


@awaited
async def test_only_what_is_new_is_asked_for_and_the_order_is_kept(openai):
    service = service_of("openai", openai)
    await service.embed("b")
    found = await service.embed_batch(["a", "b", "c", "a"])

    assert openai.requests[1].json["input"] == ["a", "c"]
    assert found == [pytest.approx(hashing.embed(t, 1_536)) for t in "abca"]
    await service.embed_batch(["c", "a"])
    assert len(openai.requests) == 2
    await service.embed("a", use_cache=False)
    assert len(openai.requests) == 3
    assert service.clear_cache() == 3
    await service.embed("a")
    assert len(openai.requests) == 4
    assert await service.embed_batch([]) == []


@awaited
async def test_what_a_caller_does_to_a_vector_is_not_kept(openai):
    service = service_of("openai", openai)
    (await service.embed("a")).clear()

    assert len(await service.embed("a")) == 1_536


@awaited
async def test_many_texts_go_in_pieces_that_the_vendor_takes():
    with Gemini() as server:
        service = service_of("gemini", server, dimension=16)
        found = await service.embed_batch([f"text {n}" for n in range(250)])

        assert [len(r.json["requests"]) for r in server.requests] == [100, 100, 50]
        assert found[249] == pytest.approx(hashing.embed("text 249", 16))


@awaited
async def test_two_thousand_are_kept_and_the_oldest_go(monkeypatch):
    service = EmbeddingService("local", dimension=16)
    await service.embed_batch([f"{n}" for n in range(2_000)])
    await service.embed("0")
    await service.embed("new")

    assert service.cache_stats()["entries"] == 2_000
    assert "0" in service._kept
    assert "1" not in service._kept


@awaited
async def test_a_shared_cache_spares_other_processes_the_question(openai):
    cache = Kept()
    await service_of("openai", openai, cache_manager=cache).embed("a")
    other = service_of("openai", openai, cache_manager=cache)

    assert await other.embed("a") == pytest.approx(hashing.embed("a", 1_536))
    assert len(openai.requests) == 1
    # The vectors of another model are other vectors.
    large = service_of(
        "openai", openai, cache_manager=cache, model="text-embedding-3-large"
    )
    assert len(await large.embed("a")) == 3_072
    cache.held = dict.fromkeys(cache.held, '"nonsense"')
    assert (
        len(await service_of("openai", openai, cache_manager=cache).embed("a")) == 1_536
    )


BUSY = {
    "openai": [
        openai_refusal(429, "Rate limit reached for requests"),
        openai_refusal(500, "The server had an error"),
        Reply(503, b"upstream connect error"),
    ],
    "gemini": [Reply(429, b"{}"), Reply(500, b"{}"), Reply(503, b"<html>")],
}


@awaited
async def test_a_busy_vendor_is_asked_again_and_later_each_time(vendor):
    from tests import bedrockserver

    name, server = vendor
    slow = bedrockserver.refusal(429, "ThrottlingException", "Too many requests")
    server.told = list(BUSY.get(name, [slow] * 3))
    service = service_of(name, server)

    assert len(await service.embed("one")) == service.dimension
    assert len(server.requests) == 4
    for seconds, about in zip(service.slept, (1, 2, 4), strict=True):
        assert 0.75 * about <= seconds <= 1.25 * about


@awaited
async def test_after_three_more_tries_it_gives_up(openai):
    openai.told = [openai_refusal(429, "slow down")] * 9
    service = service_of("openai", openai)

    with pytest.raises(BusyError, match="openai answered 429: slow down"):
        await service.embed("one")
    assert len(openai.requests) == 4
    assert service.cache_stats()["entries"] == 0


@awaited
async def test_what_is_refused_is_not_asked_again_and_tells_no_key(openai):
    service = service_of("openai", openai)
    service.embedder = EmbeddingService(
        "openai", "sk-" + "a-wrong-key", base_url=openai.origin
    ).embedder

    with pytest.raises(EmbeddingError, match="401: Incorrect API key") as caught:
        await service.embed("one")

    assert len(openai.requests) == 1
    assert "a-wrong-key" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"data": 7}',
        b'{"data": [{"index": 0}]}',
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": [1, 2]}]}',
        b'{"embeddings": [{"values": 7}]}',
        b"\xff",
    ],
)
@awaited
async def test_an_answer_that_is_none_is_an_error_and_kept_by_nobody(vendor, body):
    name, server = vendor
    server.told = [Reply(200, body, {"Content-Type": "application/json"})]
    service = service_of(name, server)

    with pytest.raises(EmbeddingError):
        await service.embed("one")
    assert service.cache_stats()["entries"] == 0


@awaited
async def test_a_key_is_not_sent_to_where_a_redirect_leads(openai):
    with OpenAI() as elsewhere:
        target = {"Location": f"{elsewhere.origin}/v1/embeddings"}
        openai.told = [Reply(307, b"", target)]
        with pytest.raises(EmbeddingError, match="307"):
            await service_of("openai", openai).embed("one")
        assert elsewhere.requests == []


@awaited
async def test_a_vendor_that_is_not_there_is_busy_until_it_is():
    with OpenAI() as server:
        origin = server.origin
    service = EmbeddingService("openai", OPENAI_KEY, base_url=origin)
    service._sleep = lambda _: asyncio.sleep(0)

    with pytest.raises(BusyError, match="does not answer"):
        await service.embed("one")


@pytest.mark.parametrize("text", ["", " \n"])
@awaited
async def test_a_text_that_says_nothing_is_refused(text):
    with pytest.raises(InvalidRequestError, match="empty"):
        await EmbeddingService("local").embed(text)


@awaited
async def test_what_is_asked_for_is_counted_where_telemetry_is_on(openai):
    with Collector() as collector:
        setup_telemetry(TelemetryConfig(otlp_endpoint=collector.url))
        try:
            service = service_of("openai", openai)
            await service.embed_batch(["a", "b"])
            await service.embed("a")
            refused = EmbeddingService("openai", "wrong", base_url=openai.origin)
            with pytest.raises(EmbeddingError):
                await refused.embed("a")
        finally:
            shutdown_telemetry()
        named = {"provider": "openai", "model": "text-embedding-3-small"}
        assert collector.total("llm.calls.total", **named, success="True") == 1
        assert collector.total("llm.calls.errors", **named) == 1
        kept = {"cache_type": "embedding_in_process"}
        assert collector.total("cache.hits", **kept) == 1
        assert collector.total("cache.misses", **kept) == 3
