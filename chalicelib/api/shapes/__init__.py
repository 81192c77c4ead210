"""
What requests and answers look like: one module for each family of addresses.

Routes name their shapes as "keys.NewKey", so that no function imports pydantic
before a body of a shape is read or the documents are made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pydantic import BaseModel


def shape(name: str) -> type[BaseModel]:
    """Return the model that a route names as "module.Class"."""
    module, _, title = name.partition(".")
    found = getattr(import_module(f"{__name__}.{module}"), title)
    return cast("type[BaseModel]", found)
