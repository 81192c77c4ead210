"""`/api/v1/figures`: how the platform and the processes that use it do at present."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from eventyard.core.topics import compile_pattern

routes = Routes(__name__)
READ: Final = "events:subscribe"
_WINDOW_SECONDS: Final = 300
#: How the topics of the platform's own events begin; they are no traffic of anybody's.
_OWN: Final = "eventyard."


@routes.get("/api/v1/figures", scope=READ, answer="figures.Figures")
def show_figures(call: Call) -> Any:
    """
    Tell how processes that report do, and what was published and delivered of late.

    A key for some topics is told of those; reports have the topic `telemetry.reported`.
    """
    from chalicelib.events.reports import REPORTED
    from chalicelib.graphs.sums import add_up

    shows = _visible(call)
    window = call.platform.traffic.window(_WINDOW_SECONDS)
    return {
        "processes": call.platform.reports.newest() if shows(REPORTED) else [],
        "platform": add_up(
            window,
            _WINDOW_SECONDS,
            lambda topic: (
                not topic.startswith(_OWN) and topic != REPORTED and shows(topic)
            ),
        ),
    }


def _visible(call: Call) -> Callable[[str], bool]:
    allowed = call.principal.topics(READ)
    if allowed is None:
        return lambda _: True
    patterns = [compile_pattern(pattern) for pattern in allowed]
    return lambda topic: any(pattern.matches(topic) for pattern in patterns)
