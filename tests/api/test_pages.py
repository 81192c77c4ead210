"""`/` and `/static`: what browsers get, and what nobody gets."""

from __future__ import annotations

import dataclasses
import gzip
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
STATIC = Path(__file__).parents[2] / "chalicelib" / "web" / "static"
PAGES = (
    *("events", "jobs", "circles", "memories"),
    *("subscriptions", "dead-letters", "replays"),
)
#: Pages that have no addresses for details below them.
FLAT = ("", "flow")
#: Pages whose details lie deeper: each with the address of one.
DEEP = {"pulls": "/octo/shop/101"}
BUDGET = 100_000
#: Modules written here, and not by others.
OURS = sorted(p.name for p in STATIC.glob("*.js") if p.read_text().startswith("// "))


def closure(names):
    """All files that these static files need to show a page, themselves included."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            text = (STATIC / name).read_text()
            waiting += re.findall(r'^import .*"\./([^"]+)"', text, re.MULTILINE)
    return found


def linked(document):
    """What a document refers to, as it stands there."""
    return re.findall(r'(?:src|href)="([^"]+)"', document)


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


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("behind", ["", "/evt_1", "/a~b~c", "/new", "/%2F..%2F%3Cx%3E"])
def test_each_page_is_served_at_its_address_and_at_that_of_its_details(
    http, page, behind
):
    answer = http.get(f"/{page}{behind}", Accept=BROWSER)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]
    # A gateway's stage stands before the path: links lead back to where it ends.
    address = f"https://gateway/api/{page}{behind}"
    assert {urljoin(address, link) for link in linked(answer.text)} == {
        urljoin("https://gateway/api/", link)
        for link in linked(http.get("/", Accept=BROWSER).text)
    }


@pytest.mark.parametrize(("page", "behind"), DEEP.items())
def test_links_lead_back_from_however_deep_the_details_lie(http, page, behind):
    shown = http.get(f"/{page}", Accept=BROWSER)
    deep = http.get(f"/{page}{behind}", Accept=BROWSER)
    hostile = http.get(f"/{page}/%3Cx%3E/%2F..%2F/1", Accept=BROWSER)

    assert {shown.status, deep.status, hostile.status} == {200}
    assert hostile.text == deep.text
    assert "unsafe" not in deep.headers["content-security-policy"]
    for address, answer in [("", shown), (behind, deep)]:
        assert {
            urljoin(f"https://gateway/api/{page}{address}", link)
            for link in linked(answer.text)
        } == {urljoin("https://gateway/api/", link) for link in linked(shown.text)}


def test_the_flow_is_a_page_under_the_same_policy_as_all(http):
    first, flow = (http.get(f"/{page}", Accept=BROWSER) for page in FLAT)

    assert (flow.status, flow.text) == (200, first.text)
    policy = "content-security-policy"
    assert flow.headers[policy] == first.headers[policy]


def test_only_the_worker_that_draws_may_run_webassembly(http):
    policies = {
        path.name: http.get(f"/static/{path.name}").headers["content-security-policy"]
        for path in STATIC.glob("*.js")
    }

    wide = {name for name, policy in policies.items() if "unsafe" in policy}
    assert wide == {"flowworker.js"}
    assert "script-src 'self' 'wasm-unsafe-eval';" in policies["flowworker.js"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_a_browser_has_already_is_not_sent_again(http, page):
    first = http.get(f"/{page}/x", Accept=BROWSER)

    same = http.get(f"/{page}/y", Accept=BROWSER, If_None_Match=first.headers["etag"])

    assert (same.status, same.text) == (304, "")
    assert first.headers["etag"] != http.get(f"/{page}").headers["etag"]


def test_every_page_is_small(http):
    document = http.get("/", Accept=BROWSER).text
    shared = {n.removeprefix("static/") for n in linked(document) if "static/" in n}
    loaded = re.findall(r'import\("\./([^"]+)"\)', (STATIC / "shell.js").read_text())
    sizes = {}
    for page in loaded:
        parts = [(STATIC / name).read_bytes() for name in closure({*shared, page})]
        sizes[page] = sum(
            len(gzip.compress(part)) for part in [document.encode(), *parts]
        )

    assert len(sizes) == len(FLAT) + len(PAGES) + len(DEEP)
    assert max(sizes.values()) < BUDGET, sizes


@pytest.mark.parametrize("name", OURS)
def test_every_module_imports_what_another_exports(name):
    imports = re.findall(
        r'^import \{([^}]+)\} from "\./([^"]+)"',
        (STATIC / name).read_text(),
        re.MULTILINE,
    )

    for names, module in imports:
        exported = re.findall(
            r"^export (?:default )?(?:async )?(?:function|const|class) (\w+)",
            (STATIC / module).read_text(),
            re.MULTILINE,
        )
        wanted = {part.strip() for part in names.split(",")}
        assert module not in OURS or wanted <= set(exported), module


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
