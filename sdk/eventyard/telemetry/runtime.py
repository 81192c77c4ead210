"""What runs while telemetry is on; None while it is off. No OpenTelemetry in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

#: How OpenTelemetry calls whoever uses it.
NAME: Final = "eventyard"


@dataclass(slots=True, eq=False)
class Runtime:
    """The providers of one set-up, and the instruments that were made of them."""

    tracers: Any = None
    meters: Any = None
    tracer: Any = None
    meter: Any = None
    #: What ends it, one after the other.
    ends: list[Callable[[], Any]] = field(default_factory=list)
    _instruments: dict[str, Any] = field(default_factory=dict)

    def counter(self, name: str, unit: str, what: str) -> Any:
        """Return the counter of a name; there must be a meter."""
        found = self._instruments.get(name)
        if found is None:
            found = self.meter.create_counter(name, unit=unit, description=what)
            self._instruments[name] = found
        return found

    def histogram(self, name: str, unit: str, what: str) -> Any:
        """Return the histogram of a name; there must be a meter."""
        found = self._instruments.get(name)
        if found is None:
            found = self.meter.create_histogram(name, unit=unit, description=what)
            self._instruments[name] = found
        return found


class Telemetry:
    """Where everybody looks whether telemetry is on: one attribute."""

    __slots__ = ("meter", "runtime", "tracer")

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        #: None while there are no spans, or no metrics.
        self.tracer: Any = None
        self.meter: Runtime | None = None

    def set(self, runtime: Runtime | None) -> None:
        """Begin with a set-up, or end."""
        self.runtime = runtime
        self.tracer = runtime.tracer if runtime else None
        self.meter = runtime if runtime and runtime.meter is not None else None


#: The telemetry of this process.
telemetry: Final = Telemetry()
