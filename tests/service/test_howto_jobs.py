"""docs/howto/add-a-job-service.md, run from top to bottom."""

from __future__ import annotations

import sys
import types

import pytest

from tests import howto

_PAGE = "add-a-job-service"
_MODULE = "chalicelib.jobs.words"


@pytest.fixture
def served(platform, monkeypatch):
    """The addresses of the service on the page, which is registered as it says."""
    from chalice.app import Chalice
    from chalice.test import Client

    from chalicelib.api import jobs
    from chalicelib.api._endpoint import Routes
    from chalicelib.api._openapi import document
    from tests.contract import Contract
    from tests.http import Http

    service, registry = howto.blocks(_PAGE, "python")
    words = types.ModuleType(_MODULE)
    monkeypatch.setitem(sys.modules, _MODULE, words)
    exec(compile(service, _PAGE, "exec"), words.__dict__)
    names: dict[str, dict[str, str]] = {}
    exec(compile(registry, _PAGE, "exec"), names)
    platform.jobs.registry.paths = names["SERVICES"]
    family = types.ModuleType("words")
    family.routes = Routes("words", jobs.routes.faults)
    jobs.serve(family.routes, "word_count")
    app = Chalice("howto")
    app.register_blueprint(family.routes.blueprint)
    with Client(app, stage_name="test") as client:
        yield Http(client, Contract(document([family])))


def test_a_second_service_is_a_class_and_a_line(served, pump):
    submit, refused, listed = howto.blocks(_PAGE, "console")

    howto.run(served, submit)
    howto.run(served, refused)
    pump.run()
    howto.run(served, listed)

    (job,) = served.get("/api/word_counts/jobs").json()["jobs"]
    told = served.get(f"/api/word_counts/jobs/{job['job_id']}/results").json()
    assert {row["key"]: row["words"] for row in told["results"]} == {"0": 2, "1": 1}


def test_it_takes_less_than_forty_lines():
    lines = [
        line
        for block in howto.blocks(_PAGE, "python")
        for line in block.splitlines()
        if line.strip()
    ]
    assert len(lines) < 40
