"""One structured line a happening, on stderr, where Lambda collects it."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


def log(message: str, **fields: Any) -> None:
    """
    Write one JSON line: a constant message, the data as fields.

    Never pass a secret or a whole payload.
    """
    line = {"at": round(time.time(), 3), "message": message, **fields}
    sys.stderr.write(json.dumps(line, default=str) + "\n")
    sys.stderr.flush()


def log_error(message: str, error: BaseException, **fields: Any) -> None:
    """Write one line for a failure, with its type, text and innermost place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
    log(message, error=type(error).__name__, reason=str(error), place=place, **fields)


def each_invocation(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """
    Chalice middleware: one line for every invocation of every function.

    The local emulator waits 50 ms for a handler's first line on stderr, so this
    line also makes each warm local invocation that much faster.
    """
    started = time.perf_counter()
    try:
        return get_response(event)
    finally:
        took = round((time.perf_counter() - started) * 1000, 2)
        log("invoked", kind=type(event).__name__, took_ms=took)
