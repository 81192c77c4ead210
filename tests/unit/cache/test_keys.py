"""Whatever callers say, different things have different keys."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from eventyard.cache._keys import Keys, literal, part
from eventyard.cache._near import glob

KEYS = Keys("gathering:")
NAMES = st.text("ab:*%~ é\ud800", max_size=5) | st.integers(0, 99)
TEXTS = st.text("ab:\ud800", max_size=3)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=2, unique=True))
def test_embeddings_of_two_texts_or_models_are_two(pairs):
    one, other = (KEYS.embedding(text, model) for text, model in pairs)
    assert one != other


@given(
    st.lists(
        st.tuples(NAMES.map(str), TEXTS, TEXTS), min_size=2, max_size=2, unique=True
    )
)
def test_answers_to_two_questions_are_two(asked):
    one, other = (KEYS.recall(*words) for words in asked)
    assert one != other


@given(NAMES, NAMES)
def test_the_keys_of_an_agent_are_known_by_a_pattern(one, other):
    pattern = glob(f"gathering:rag:agent:{part(one)}:*")
    assert pattern.fullmatch(KEYS.recall(one, "q", "v"))
    if str(one) != str(other):
        assert not pattern.fullmatch(KEYS.recall(other, "q", "v"))
        assert KEYS.recall_tag(one) != KEYS.recall_tag(other)
        assert KEYS.circle(one) != KEYS.circle(other)


@given(st.text("ab*?[]^-\\", max_size=6))
def test_a_literal_is_fitted_by_itself_alone(text):
    fits = glob(literal(text)).fullmatch
    assert fits(text)
    assert not fits(f"{text}a")


def test_importing_the_cache_loads_no_library():
    program = (
        "import sys, eventyard.cache as c; assert 'redis' not in sys.modules;"
        "c.CacheManager(c.CacheConfig(enabled=False)).get('a');"
        "loaded = {'redis', 'opentelemetry', 'aiohttp', 'pydantic'} & {*sys.modules};"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
