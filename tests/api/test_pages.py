"""`/` and `/static`: what browsers get, and what nobody gets."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
STATIC = Path(__file__).parents[2] / "chalicelib" / "web" / "static"


def test_programs_are_told_what_this_is(http, platform):
    answer = http.get("/", Accept="application/json")

    assert answer.json() == {"name": "Eventyard", **platform.public_config()}


def test_without_an_accept_header_it_is_json(http):
    assert http.get("/").json()["name"] == "Eventyard"


def test_a_browser_gets_the_page_under_a_strict_policy(http):
    answer = http.get("/", Accept=BROWSER)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self';" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_policy_names_the_socket_of_another_host(http, platform):
    platform.settings = dataclasses.replace(
        platform.settings, live_url="wss://abc.execute-api.eu-west-1.amazonaws.com/api"
    )

    policy = http.get("/", Accept=BROWSER).headers["content-security-policy"]

    host = "wss://abc.execute-api.eu-west-1.amazonaws.com"
    assert f"connect-src 'self' {host};" in policy


@pytest.mark.parametrize("live_url", ["ws://x; script-src *", "javascript:1", "x"])
def test_no_setting_opens_the_policy(http, platform, live_url):
    platform.settings = dataclasses.replace(platform.settings, live_url=live_url)

    policy = http.get("/", Accept=BROWSER).headers["content-security-policy"]

    assert "script-src 'self';" in policy
    assert policy.count("script-src") == 1
    assert "javascript" not in policy


def test_the_page_needs_nothing_that_its_policy_forbids(http):
    page = http.get("/", Accept=BROWSER).text

    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.search(r'(?:src|href)="/', page)


def test_everything_the_page_names_is_served(http):
    page = http.get("/", Accept=BROWSER).text
    named = set(re.findall(r'(?:src|href)="(static/[^"]+)"', page))

    assert len(named) > 5
    assert {name: http.get(f"/{name}").status for name in named} == dict.fromkeys(
        named, 200
    )


@pytest.mark.parametrize(
    ("suffix", "media"),
    [(".css", "text/css"), (".js", "text/javascript"), (".svg", "image/svg+xml")],
)
def test_a_static_file_has_its_media_type(http, suffix, media):
    name = next(path.name for path in sorted(STATIC.glob(f"*{suffix}")))

    answer = http.get(f"/static/{name}")

    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.text == (STATIC / name).read_text()
    assert "content-security-policy" in answer.headers


def test_what_a_browser_has_already_is_not_sent_again(http):
    first = http.get("/static/app.css")

    same = http.get("/static/app.css", If_None_Match=first.headers["etag"])
    other = http.get("/static/app.css", If_None_Match='"another"')

    assert first.headers["cache-control"] == "no-cache"
    assert (same.status, same.text) == (304, "")
    assert same.headers["etag"] == first.headers["etag"]
    assert (other.status, other.text) == (200, first.text)


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fapp.py",
        "..%2F..%2Fapp.py",
        "%2e%2e%2findex.html",
        "..%5Cindex.html",
        "%2Fetc%2Fpasswd",
        "app.css%00",
        "app.css%2F",
        ".hidden.js",
        "__init__.py",
        "APP.CSS",
        "nothing.js",
    ],
)
def test_nothing_but_static_files_is_served(http, name):
    answer = http.get(f"/static/{name}")

    assert answer.status == 404
    assert answer.json()["error"]["code"] == "not_found"
