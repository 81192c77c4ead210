"""Blocks of the design document, run as they stand."""

from __future__ import annotations

from typing import Any


async def run(block: str, **names: Any) -> dict[str, Any]:
    """Run a block as the body of a coroutine; return what it named."""
    scope = dict(names)
    body = "\n".join("    " + line for line in block.splitlines())
    exec(f"async def _block():\n{body}\n    return locals()", scope)
    return await scope["_block"]()
