"""
What a publish or a subscribe looks like, library by library.

A detector says by which method names a file is worth a look, and reads one call at a
time. To teach the scanner a library of your own, write a `Detector` and name it in the
configuration as `module:name`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence

from eventyard.core.errors import InvalidRequestError
from eventyard.scanner.detectors._call import Call, Detector, Use
from eventyard.scanner.detectors.aws import Aws
from eventyard.scanner.detectors.bus import RECEIVERS, Bus
from eventyard.scanner.detectors.celery import Celery
from eventyard.scanner.detectors.emitters import Emitters
from eventyard.scanner.detectors.faststream import FastStream
from eventyard.scanner.detectors.signals import Signals
from eventyard.scanner.detectors.wrappers import Wrappers

__all__ = ["BUILT_IN", "RECEIVERS", "Call", "Detector", "Use", "detectors"]

#: The detectors there are, in the order in which they are asked: the most particular
#: first.
BUILT_IN: dict[str, type[Detector]] = {
    "aws": Aws,
    "celery": Celery,
    "signals": Signals,
    "faststream": FastStream,
    "pyee": Emitters,
}


def detectors(
    names: Sequence[str] | None = None,
    receivers: Iterable[str] = RECEIVERS,
    wrappers: Mapping[str, str] | None = None,
) -> list[Detector]:
    """
    Make detectors by name; all that come with the package when none are named.

    A name is one of `BUILT_IN`, `bus`, or `module:attribute` of your own. `receivers`
    are the names of what holds a bus, `wrappers` methods of your own, as `Wrappers`
    has them.
    """
    chosen = [*BUILT_IN, "bus"] if names is None else names
    own: list[Detector] = [Wrappers(wrappers)] if wrappers else []
    return [*own, *(_made(name, receivers) for name in chosen)]


def _made(name: str, receivers: Iterable[str]) -> Detector:
    if name == "bus":
        return Bus(receivers)
    if name in BUILT_IN:
        return BUILT_IN[name]()
    module, colon, attribute = name.partition(":")
    if not colon:
        known = ", ".join([*BUILT_IN, "bus"])
        raise InvalidRequestError(
            f"There is no detector {name!r}: there are {known}; name your own as "
            "module:attribute."
        )
    try:
        made: Detector = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise InvalidRequestError(f"The detector {name!r}: {error}") from None
    return made
