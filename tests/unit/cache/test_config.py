"""What a cache is told by variables and by files."""

from __future__ import annotations

from io import StringIO

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from eventyard.cache import CacheConfig, CacheManager
from eventyard.cache.config import read_dotenv
from eventyard.core.errors import InvalidRequestError

NAMES = ("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "CACHE_ENABLED")


@pytest.fixture(autouse=True)
def without_variables(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_those_of_the_design():
    config = CacheConfig()
    assert (config.host, config.port, config.db) == ("localhost", 6379, 0)
    assert (config.password, config.enabled) == (None, True)
    assert (config.embedding_ttl, config.rag_results_ttl) == (86_400, 300)
    assert (config.circle_context_ttl, config.llm_response_ttl) == (600, 3_600)
    assert config.key_prefix == "gathering:"
    assert config.local_tier is False
    assert CacheConfig.from_env() == config


def test_variables_say_where_redis_is(monkeypatch):
    told = dict(
        zip(NAMES, ("redis.example", "6380", "2", "s3cret", "true"), strict=True)
    )
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    config = CacheConfig.from_env()
    assert (config.host, config.port, config.db) == ("redis.example", 6380, 2)
    assert (config.password, config.enabled) == ("s3cret", True)


@pytest.mark.parametrize(
    ("text", "enabled"),
    [("true", True), ("True", True), ("1", False), ("yes", False), ("", False)],
)
def test_only_true_enables(monkeypatch, text, enabled):
    monkeypatch.setenv("CACHE_ENABLED", text)
    assert CacheConfig.from_env().enabled is enabled


def test_a_file_says_what_variables_do_not(monkeypatch, tmp_path):
    path = tmp_path / ".env"
    path.write_text(
        '# where\nREDIS_HOST="a b"\nexport REDIS_PORT=1234 # x\nCACHE_ENABLED=false\n'
    )
    monkeypatch.setenv("REDIS_HOST", "wins")
    config = CacheConfig.from_env(path)
    assert (config.host, config.port, config.enabled) == ("wins", 1234, False)
    assert CacheConfig.from_env(tmp_path / "nothing").host == "wins"
    assert CacheManager.from_env(str(path)).is_enabled() is False


@pytest.mark.parametrize("port", ["abc", "-1", "1.5", "٣"])
def test_a_number_that_is_none_is_told_and_disables(monkeypatch, caplog, port):
    monkeypatch.setenv("REDIS_PORT", port)
    with pytest.raises(InvalidRequestError, match="REDIS_PORT must be a number"):
        CacheConfig.from_env()
    cache = CacheManager.from_env()
    assert cache.is_enabled() is False
    assert "REDIS_PORT must be a number" in caplog.text


_NAME = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
_TEXT = st.text(
    st.characters(codec="ascii", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\0$"),
    max_size=12,
)


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_WRITTEN = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_./:@=#-]{0,12}", fullmatch=True),
    _TEXT.map(_quoted),
    _TEXT.map(_plain),
)
_LINE = st.one_of(
    st.tuples(
        st.sampled_from(["", "export ", "  "]),
        _NAME,
        st.sampled_from(["=", " = ", "= "]),
        _WRITTEN,
        st.sampled_from(["", " ", " # said"]),
    ).map("".join),
    st.just("# a comment"),
    st.just(""),
)


@given(st.lists(_LINE, max_size=6))
def test_files_mean_what_python_dotenv_makes_of_them(lines):
    text = "\n".join(lines)
    assert read_dotenv(text) == dict(dotenv_values(stream=StringIO(text)))


@given(st.text(max_size=200))
def test_no_text_at_all_is_an_error(text):
    read_dotenv(text)
