"""Events and JSON values for property tests."""

from __future__ import annotations

from datetime import UTC, datetime

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
