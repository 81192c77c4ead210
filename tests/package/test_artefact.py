"""The zip as Lambda unpacks it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


def modules_after(code: Path, script: str) -> set[str]:
    """Run a script with nothing but the zip on the path; return what it imported."""
    whole = (
        f"import sys; sys.path.insert(0, {str(code)!r})\n{script}\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", whole],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_zip_imports_alone_and_without_what_makes_a_cold_start_slow(code):
    imported = modules_after(code, "import app")

    assert "chalicelib.api.events" in imported
    slow = {"boto3", "botocore", "urllib3", "pydantic", "aiohttp", "asyncio", "ssl"}
    slow |= {"cryptography", "genson", "jsonschema", "jwt", "referencing"}
    assert slow & imported == set()


def test_the_zip_brings_the_clients_its_functions_make(code):
    script = (
        "import app\n"
        "from chalicelib.aws import Aws\n"
        "import os; os.environ['AWS_DEFAULT_REGION'] = 'us-east-1'\n"
        "aws = Aws(); aws.dynamodb, aws.s3, aws.sns, aws.sqs\n"
        "import urllib3, botocore.auth, pydantic, genson, jsonschema\n"
        "import jwt; jwt.get_algorithm_by_name('EdDSA')\n"
        "jsonschema.Draft202012Validator.check_schema({'type': 'object'})"
    )

    imported = modules_after(code, script)

    assert "botocore.session" in imported
    assert "boto3" not in imported


def test_the_zip_holds_nothing_of_the_development_machine(code):
    names = {path.name for path in code.iterdir()}

    unwanted = {"tests", "infra", "moto", "ministack", "pip", "click", "yaml"}
    assert unwanted & names == set()
    assert {"app.py", "chalicelib", "eventyard", "chalice"} <= names


def test_every_module_has_bytecode_that_never_looks_at_time_stamps(code):
    missing = [
        str(source)
        for source in code.rglob("*.py")
        if not Path(importlib.util.cache_from_source(str(source))).exists()
    ]
    stamped = [
        str(cached)
        for cached in code.rglob("*.pyc")
        if int.from_bytes(cached.read_bytes()[4:8], "little") != _UNCHECKED_HASH
    ]

    assert missing == []
    assert stamped == []


def test_packaging_the_same_sources_twice_gives_the_same_digest(artefact, tmp_path):
    again = package(lambda _: None, tmp_path / "out")

    assert again.digest == artefact.digest


def test_the_zip_is_small_enough_to_upload_without_a_second_thought(artefact):
    assert artefact.zip_path.stat().st_size < 16_000_000
