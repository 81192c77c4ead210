"""The zip as Lambda unpacks it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import package as packaging
from infra.package import package

_UNCHECKED_HASH = 0b01


@pytest.fixture(scope="session")
def artefact(tmp_path_factory):
    return package(lambda _: None, tmp_path_factory.mktemp("package") / "out")


@pytest.fixture(scope="session")
def code(artefact, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    with zipfile.ZipFile(artefact.zip_path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def layer(artefact, tmp_path_factory) -> Path:
    """The layer of the function that draws, as Lambda adds it to the path."""
    folder = tmp_path_factory.mktemp("layer")
    return unpacked(artefact, "drawing", folder)


def unpacked(artefact, name, folder) -> Path:
    with zipfile.ZipFile(artefact.layers[name]) as archive:
        archive.extractall(folder)
    return folder / "python"


def modules_after(*code: Path, script: str) -> set[str]:
    """Run a script with nothing but the zips on the path; return what it imported."""
    whole = (
        f"import sys; sys.path[:0] = {[str(folder) for folder in code]!r}\n{script}\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", whole],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_whatever_the_server_imports_is_in_the_zip_or_a_layer(artefact, code, tmp_path):
    layers = [
        unpacked(artefact, name, tmp_path / name) for name in sorted(artefact.layers)
    ]
    script = """
import ast, importlib, pathlib
for path in sorted(pathlib.Path(CODE, "chalicelib").rglob("*.py")):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.partition(".")[0] in ("eventyard", "chalicelib"):
                found = importlib.import_module(node.module)
                for name in node.names:
                    # Types alone are named in capitals, and may be there for mypy.
                    if name.name.islower() and not hasattr(found, name.name):
                        importlib.import_module(f"{node.module}.{name.name}")
"""
    modules_after(code, *layers, script=script.replace("CODE", repr(str(code))))


def test_the_zip_imports_alone_and_without_what_makes_a_cold_start_slow(code):
    imported = modules_after(code, script="import app")

    assert "chalicelib.api.events" in imported
    slow = {"boto3", "botocore", "urllib3", "pydantic", "aiohttp", "asyncio", "ssl"}
    slow |= {"cryptography", "genson", "jsonschema", "jwt", "referencing"}
    slow |= {
        "numpy",
        "selectolax",
        "protego",
        "wasmtime",
        "subprocess",
        "xml.parsers.expat",
    }
    assert slow & imported == set()


def test_the_zip_brings_the_clients_its_functions_make(code):
    script = (
        "import app\n"
        "from chalicelib.aws import Aws\n"
        "import os; os.environ['AWS_DEFAULT_REGION'] = 'us-east-1'\n"
        "aws = Aws(); aws.dynamodb, aws.s3, aws.sns, aws.sqs\n"
        "aws.bedrock('', 60).meta.method_to_api_mapping['converse']\n"
        "import urllib3, botocore.auth, pydantic, genson, jsonschema\n"
        "import jwt; jwt.get_algorithm_by_name('EdDSA')\n"
        "jsonschema.Draft202012Validator.check_schema({'type': 'object'})"
    )

    imported = modules_after(code, script=script)

    assert "botocore.session" in imported
    assert "boto3" not in imported


def test_the_zip_holds_nothing_of_the_development_machine(code):
    names = {path.name for path in code.iterdir()}

    unwanted = {"tests", "infra", "moto", "ministack", "pip", "click", "yaml"}
    assert unwanted & names == set()
    assert {"app.py", "chalicelib", "eventyard", "chalice"} <= names


def test_only_the_layer_brings_what_draws_and_it_draws_at_once(code, layer, tmp_path):
    script = (
        f"import tempfile; tempfile.tempdir = {str(tmp_path)!r}\n"
        "from chalicelib.graphs.render import WasmRenderer\n"
        "assert '<title>a&#45;&gt;b</title>' in WasmRenderer()('digraph { a -> b }')"
    )

    imported = modules_after(layer, code, script=script)

    assert "wasmtime" in imported
    assert not (code / "wasmtime").exists()
    # Nothing was compiled: what was packaged runs.
    assert list(tmp_path.iterdir()) == []


def test_only_the_layer_brings_what_scrapes(artefact, code, tmp_path):
    folder = unpacked(artefact, "scraping", tmp_path)
    script = "import selectolax.lexbor, protego"

    imported = modules_after(folder, code, script=script)

    assert {"selectolax.lexbor", "protego"} <= imported
    assert not (code / "selectolax").exists()
    assert not (code / "protego").exists()


def test_only_the_layer_brings_what_searches_and_without_it_the_same_is_found(
    artefact, code, tmp_path
):
    folder = unpacked(artefact, "searching", tmp_path)
    script = (
        "from eventyard.rag import hashing, segments\n"
        "from eventyard.rag.vectors import Block, Entry, nearest, pack\n"
        "texts = ['the database password', 'lunch at noon', 'a red car']\n"
        "made = [Entry(t, pack(hashing.embed(t))) for t in texts]\n"
        "block = segments.read(segments.write(Block.of(256, made)))\n"
        "(hit,) = nearest([block], hashing.embed('database passwords'), 1)\n"
        "assert hit.id == 'the database password', hit"
    )

    assert "numpy" in modules_after(folder, code, script=script)
    assert "numpy" not in modules_after(code, script=script)
    assert not (code / "numpy").exists()


def test_the_zip_brings_of_memories_what_does_no_io(code):
    held = {path.stem for path in (code / "eventyard" / "rag").glob("*.py")}

    assert held.isdisjoint({"embeddings", "manager", "providers", "remote", "store"})
    assert "vectors" in held


def test_the_zip_brings_of_jobs_what_does_no_io(code):
    imported = modules_after(code, script="import eventyard.jobs")

    assert "eventyard.jobs.base" in imported
    held = {path.name for path in (code / "eventyard" / "jobs").glob("*")}
    allowed = {"__init__.py", "__pycache__", "base.py", "context.py", "errors.py"}
    assert held <= {*allowed, "scraping"}


def test_without_the_layer_a_graph_says_that_nothing_draws_it(code):
    script = (
        "import os; os.environ['PATH'] = '/nowhere'\n"
        "from chalicelib.graphs.drawings import renderer\n"
        "try: renderer('auto')('digraph { a -> b }')\n"
        "except Exception as error: assert 'nothing to draw with' in str(error)\n"
        "else: raise SystemExit('it drew')"
    )

    assert "wasmtime" not in modules_after(code, script=script)


def test_every_module_has_bytecode_that_never_looks_at_time_stamps(code, layer):
    missing = [
        str(source)
        for source in (*code.rglob("*.py"), *layer.rglob("*.py"))
        if not Path(importlib.util.cache_from_source(str(source))).exists()
    ]
    stamped = [
        str(cached)
        for cached in (*code.rglob("*.pyc"), *layer.rglob("*.pyc"))
        if int.from_bytes(cached.read_bytes()[4:8], "little") != _UNCHECKED_HASH
    ]

    assert missing == []
    assert stamped == []


def test_packaging_the_same_sources_twice_gives_the_same_digest(
    artefact, tmp_path, monkeypatch
):
    # Kept under another name, so that this is built indeed.
    monkeypatch.setattr(packaging, "_digest", lambda *_: "again")
    told: list[str] = []

    again = package(told.append, tmp_path / "out")
    shutil.rmtree(packaging.BUILD / "artefact-again")

    assert told == ["Packaging the functions"]
    assert again.digest == artefact.digest
    assert again.layers == artefact.layers


def test_the_zip_is_small_enough_to_upload_without_a_second_thought(artefact):
    assert artefact.zip_path.stat().st_size < 17_000_000
    for path in artefact.layers.values():
        assert path.stat().st_size < 16_000_000
