"""What the scanner pushes, taken by the graph API."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from eventyard.core.graph.model import FlowModel
from eventyard.scanner import EventFlowScanner, _pushing

_TYPES = ["simplified", "complete", "full-tree"]


@pytest.fixture
def wired(http, platform, monkeypatch):
    """Let the scanner's requests come to the application; tell the paths of them."""
    asked = []

    def ask(method, url, body, headers, timeout):
        parts = urlsplit(url)
        asked.append(parts.path)
        if not parts.path.startswith("/api/"):
            key = parts.path[parts.path.index("uploads/") :]
            bucket = platform.graphs.service.uploads.bucket
            platform.aws.s3.put_object(Bucket=bucket, Key=key, Body=body)
            return _pushing._Answer(200, b"")
        answer = http._call(method, parts.path, body, dict(headers))
        return _pushing._Answer(answer.status, answer.text.encode())

    monkeypatch.setattr(_pushing, "_ask", ask)
    return asked


@pytest.fixture
def scanner(wired, tmp_path):
    (tmp_path / "shop.py").write_text("bus.publish('order.placed')\n")
    (tmp_path / "mail.py").write_text("bus.subscribe('order.*', print)\n")
    heard = []
    made = EventFlowScanner(
        tmp_path, project="shop", ref="next", api_key="", tell=heard.append
    )
    made.heard = heard
    return made


def test_what_is_pushed_is_what_the_platform_tells(scanner, http):
    results = scanner.scan_once()

    assert results == dict.fromkeys(_TYPES, True), scanner.heard
    for kind in _TYPES:
        query = "format=json&project=shop&ref=next"
        told = http.get(f"/api/graph/{kind}?{query}").json()
        assert FlowModel.from_dict(told["model"]) == scanner.analyzer.model
        assert told["stats"] == scanner.analyzer.model.stats()


def test_a_new_scanner_makes_no_new_version_of_the_same_code(scanner, http, tmp_path):
    scanner.scan_once()
    again = EventFlowScanner(tmp_path, project="shop", ref="next", api_key="")
    again.scan_once()

    assert again.unchanged == set(_TYPES)
    told = http.get("/api/graph/complete/versions?project=shop&ref=next").json()
    assert len(told["versions"]) == 1


def test_a_large_graph_goes_by_way_of_the_bucket(scanner, wired, http, monkeypatch):
    monkeypatch.setattr(_pushing, "LARGEST", 100)

    results = scanner.scan_once()

    assert all(results.values()), scanner.heard
    assert wired.count("/api/graph/uploads") == 3
    told = http.get("/api/graph/status?project=shop&ref=next").json()
    assert sorted(told["graphs"]) == sorted(_TYPES)
