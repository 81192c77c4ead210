"""docs/howto/add-a-feature.md, run from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "add-a-feature.md"


@pytest.fixture
def feature(platform):
    # A module of its own: dataclasses look their module up.
    import sys
    import types

    from chalicelib.bootstrap import Platform

    module = types.ModuleType("howto_bookmarks")
    module.Platform = Platform
    # As the page names them: the route finds its shape in the module of shapes.
    names = (module.__name__, "chalicelib.api.shapes.bookmarks")
    sys.modules |= dict.fromkeys(names, module)
    for block in re.findall(
        r"^```python\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        exec(compile(block, str(_PAGE), "exec"), module.__dict__)
    yield module
    del Platform.bookmarks
    for name in names:
        del sys.modules[name]


def test_the_feature_of_the_howto_works_from_route_to_table(feature, platform):
    from chalice.app import Chalice
    from chalice.test import Client

    from chalicelib.api._openapi import document
    from tests.contract import Contract
    from tests.http import Http

    app = Chalice("howto")
    app.register_blueprint(feature.routes.blueprint)

    with Client(app, stage_name="test") as client:
        http = Http(client, Contract(document([feature])))
        made = http.post("/api/v1/bookmarks/release")
        refused = http.post("/api/v1/bookmarks/no%20name")

    assert made.status == 201
    assert next(iter(platform.bookmarks.store.all()))["place"] == made.json()["place"]
    assert (refused.status, refused.json()["error"]["code"]) == (400, "invalid_request")
