"""Events and JSON values for property tests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from hypothesis import strategies as st

from eventyard.core.event import Event

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,24}", fullmatch=True)
_moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3)
    ),
    max_leaves=8,
)
segments = st.from_regex(r"[A-Za-z0-9_:/-]{1,4}", fullmatch=True)
topics = st.lists(segments, min_size=1, max_size=5).map(".".join)
# Names that mean something on the wire make the more dangerous attributes.
attributes = st.dictionaries(
    _names
    | st.sampled_from(
        [
            "id",
            "type",
            "data",
            "source",
            "time",
            "subject",
            "ttl",
            "version",
            "tags",
            "headers",
            "specversion",
            "data_base64",
            "datacontenttype",
            "eventyardextra",
            "correlationid",
            "circle_id",
        ]
    ),
    json_values | st.sampled_from(["text/plain", "application/json", "image/png"]),
    max_size=4,
)
events = st.builds(
    Event,
    topics,
    json_values,
    source=st.none() | _text | st.just("/eventyard"),
    target=st.none() | _text,
    priority=st.integers(1, 10),
    correlation_id=st.none() | _text,
    causation_id=st.none() | _text,
    timestamp=_moments,
    ttl=st.none() | st.integers(1, 10**6) | st.floats(1e-3, 1e6),
    expires_at=st.none() | _moments,
    version=st.none() | st.integers(0, 10**6),
    headers=st.dictionaries(_text, _text, max_size=2),
    tags=st.lists(_text, max_size=2),
    attempts=st.integers(0, 5),
    max_attempts=st.integers(0, 5),
    last_error=st.none() | _text,
    dataref=st.none() | _text,
    attributes=attributes,
)


class Colour(StrEnum):
    """Text whose hash is not that of the equal plain text."""

    RED = "a"

    def __hash__(self) -> int:
        return 7


# Few paths and few values, or conditions and events would never meet. What looks alike
# and is not the same is among them, and what equals although it looks different.
paths = st.sampled_from(["a", "a.b", "c.b", "c.d.e", "items.0", "items.1.b", "9"])
PLAIN = [
    *(None, True, False, 0, 1, 1.0, -0.0, 2, 2.5, 10**30, 1e30),
    *(float("inf"), float("nan"), "", "a", "b", "ab", "1", "2026-01-01"),
    *("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-99-99"),
    "2026-01-01T02:00:00+02:00",
]
ODD = [Colour.RED, Decimal(1), (1, "a"), datetime(2026, 1, 1, tzinfo=UTC)]
ORDERED = [one for one in PLAIN if one is not None and not isinstance(one, bool)]
plain = st.sampled_from(PLAIN)
odd = st.sampled_from(ODD)
values = st.recursive(
    plain | odd,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["b", "d", "e"]), inner, max_size=2)
    ),
    max_leaves=4,
)
views = st.dictionaries(st.sampled_from(["a", "c", "items", "9"]), values, max_size=4)
_ordered = st.sampled_from(ORDERED)
operators = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(["$gt", "$gte", "$lt", "$lte"], _ordered)
        ),
        st.fixed_dictionaries({"$eq": values | plain}),
        st.fixed_dictionaries({"$in": st.lists(plain | values, max_size=4)}),
        st.fixed_dictionaries({"$in": st.lists(plain, max_size=3)}),
        st.fixed_dictionaries({"$ne": plain}),
        st.fixed_dictionaries({"$nin": st.lists(plain, max_size=2)}),
        st.fixed_dictionaries({"$exists": st.booleans()}),
        st.fixed_dictionaries({"$contains": plain}),
        st.fixed_dictionaries({"$regex": st.sampled_from(["a", "^$"])}),
        st.fixed_dictionaries({"$topic": st.sampled_from(["*", "a.*"])}),
    ).filter(bool),
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=3,
)
filters = st.recursive(
    st.dictionaries(paths, plain | operators, max_size=3),
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries(
            {"$and": st.lists(inner, min_size=1, max_size=2)},
            optional={"a": plain},
        )
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=3,
)
