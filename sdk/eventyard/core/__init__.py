"""The contract that the package and the server share: values and rules, no I/O."""

from __future__ import annotations
