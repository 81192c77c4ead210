"""docs/reference.md names what is deployed, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from app import app

_PAGE = Path(__file__).parent.parent.parent / "docs" / "reference.md"


def test_the_reference_lists_every_address_and_no_other():
    listed = set(re.findall(r"^\| `([A-Z]+ /\S*)`", _PAGE.read_text(), re.MULTILINE))

    deployed = {
        f"{method} {path}" for path, views in app.routes.items() for method in views
    }
    assert listed == deployed
