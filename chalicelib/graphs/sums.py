"""The traffic of a window, added up by topic: how much, how late, how much failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chalicelib.graphs.flows import Flow
from chalicelib.graphs.lags import quantile
from chalicelib.graphs.traffic import Window

_SHARE: Final = 0.95
_MOST_TOPICS: Final = 20


def add_up(
    window: Window, seconds: int, shows: Callable[[str], bool]
) -> dict[str, Any]:
    """
    Return the sums of the topics that are shown, and the busiest twenty of them.

    Rates are of events a second; what is late is told in milliseconds.
    """
    span = max(window.until - window.since, 1.0)
    whole, topics = _Sum(), dict[str, _Sum]()
    for edge, flow in window.sheet.flows.items():
        if shows(edge.event):
            for total in (whole, topics.setdefault(edge.event, _Sum())):
                total.add(edge.kind, flow)
    busiest = sorted(topics.items(), key=lambda one: (-one[1].events, one[0]))
    return {
        "window_s": seconds,
        **whole.told(span),
        "topics": [
            {"topic": topic, **total.told(span)}
            for topic, total in busiest[:_MOST_TOPICS]
        ],
    }


class _Sum:
    """What was published of a topic, and what arrived of it."""

    def __init__(self) -> None:
        self._published, self._delivered = Flow(), Flow()

    def add(self, kind: str, flow: Flow) -> None:
        """Add what went along one edge."""
        whole = self._published if kind == "publishes" else self._delivered
        whole.merge(flow)

    @property
    def events(self) -> int:
        """Return how much there was, arrived or not."""
        delivered = self._delivered
        return self._published.count + delivered.count + delivered.errors

    def told(self, span: float) -> dict[str, Any]:
        """Return it as it is answered."""
        published, delivered = self._published, self._delivered
        return {
            "published": published.count,
            "published_rate": round(published.count / span, 6),
            "delivered": delivered.count,
            "delivered_rate": round(delivered.count / span, 6),
            "errors": delivered.errors,
            "p95_lag_ms": quantile(delivered.lags, _SHARE),
        }
