"""The job services by name; what does the work is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from chalicelib.telemetry import log_error
from eventyard.core.errors import NotFoundError, UnavailableError
from eventyard.jobs.base import BaseService

#: One line a service: its name, the module and the class that it is made of. Its
#: addresses are `/api/<name>s`.
SERVICES: Final[Mapping[str, str]] = {
    "scraper": "eventyard.jobs.scraping.service:Scraper",
}
#: Queues, each with what its workers can do that others cannot; the first is for
#: whatever needs nothing.
QUEUES: Final[Mapping[str, tuple[str, ...]]] = {
    "jobs": (),
    "scraping": ("scraping",),
}

Maker = Callable[[Any], BaseService]


@dataclass(slots=True)
class Registry:
    """Makes each service once, when it is first asked for."""

    paths: Mapping[str, str] = field(default_factory=lambda: SERVICES)
    #: How some are made of their class; all others are made with nothing.
    makers: Mapping[str, Maker] = field(default_factory=dict)
    _made: dict[str, BaseService] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the services."""
        return tuple(self.paths)

    def check(self, name: str) -> str:
        """Return the name, or raise NotFoundError."""
        if name not in self.paths:
            raise NotFoundError(f"There is no job service {name!r:.60}.")
        return name

    def get(self, name: str) -> BaseService:
        """
        Return a service.

        Raises NotFoundError; or UnavailableError when it cannot be made here.
        """
        if self.check(name) not in self._made:
            try:
                self._made[name] = self._make(name)
            except (ImportError, AttributeError) as error:
                log_error("a job service cannot be made", error, service=name)
                raise UnavailableError(f"The service {name} is not here.") from error
        return self._made[name]

    def _make(self, name: str) -> BaseService:
        module, _, kind = self.paths[name].partition(":")
        service = self.makers.get(name, _plainly)(getattr(import_module(module), kind))
        if service.service_name != name:
            raise AttributeError(f"{kind} is named {service.service_name}, not {name}")
        return service


def queue_for(requires: tuple[str, ...]) -> str:
    """Return the queue whose workers can do what is needed; raises UnavailableError."""
    for queue, capabilities in QUEUES.items():
        if set(requires) <= set(capabilities):
            return queue
    raise UnavailableError(f"No worker can do {', '.join(requires)}.")


def _plainly(kind: Callable[[], BaseService]) -> BaseService:
    return kind()
