"""What was built is kept: only an edit builds again, and two at once build once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import package as packaging
from infra.package import BUILD, ROOT, Artefact

_SAID = "Packaging the functions"
_OUT = Path(".eventyard/build/out")


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project that the test may edit."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (".chalice", "chalicelib", "infra", "sdk", "vendor"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    for source in (ROOT / "app.py", *ROOT.glob("requirements*.txt")):
        shutil.copy(source, copy)
    return copy


@pytest.fixture
def fetched(project, tmp_path) -> Path:
    """One with all that it depends on, and with nothing built."""
    packaging.package(lambda _: None, tmp_path / "out")
    build = project / ".eventyard" / "build"
    for tree in BUILD.glob("dependencies-*/"):
        shutil.copytree(tree, build / tree.name, copy_function=os.link)
    for layer in BUILD.glob("layer-*"):
        shutil.copy(layer, build)
    return project


@pytest.fixture
def bare(project, monkeypatch) -> Path:
    """One that depends on nothing, and that this process packages."""
    build = project / ".eventyard" / "build"
    dependencies = build / "dependencies-none"
    dependencies.mkdir(parents=True)
    monkeypatch.setattr(packaging, "ROOT", project)
    monkeypatch.setattr(packaging, "BUILD", build)
    monkeypatch.setattr(packaging, "_dependencies", lambda _: dependencies)
    monkeypatch.setattr(packaging, "_layer", lambda name, _: build / name)
    return project


def start(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "infra.package"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return output


def built(project: Path) -> Artefact:
    out = project / _OUT
    return Artefact(out / "deployment.zip", out / "sam.yaml", {})


def kept(project: Path) -> set[str]:
    found = (project / ".eventyard" / "build").glob("artefact-*/")
    return {path.name for path in found}


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# edited\n")


def test_two_at_once_build_once_and_only_an_edit_builds_again(fetched):
    outputs = [said(process) for process in (start(fetched), start(fetched))]
    digest = built(fetched).digest
    source = fetched / "chalicelib" / "config.py"
    before = source.read_text()

    edit(source)
    edited, other = said(start(fetched)), built(fetched).digest
    source.write_text(before)
    taken_back = said(start(fetched))

    assert sorted(_SAID in output for output in outputs) == [False, True]
    assert _SAID in edited
    assert other != digest
    assert _SAID not in taken_back
    assert built(fetched).digest == digest
    assert len(kept(fetched)) == 2


def digest(work: Path) -> str:
    stage = packaging._stage(work / "stage")
    return packaging._digest(stage, packaging._dependencies(print))


@pytest.mark.parametrize(
    "name",
    [
        "app.py",
        "chalicelib/api/_endpoint.py",
        "chalicelib/web/static/app.css",
        "infra/resources.yaml",
        "sdk/eventyard/__init__.py",
        "sdk/eventyard/core/ulid.py",
        "sdk/eventyard/jobs/base.py",
    ],
)
def test_the_digest_knows_every_source(bare, tmp_path, name):
    before = digest(tmp_path / "before")

    edit(bare / name)

    assert digest(tmp_path / "after") != before


def test_the_digest_knows_chalices_configuration(bare, tmp_path):
    before = digest(tmp_path / "before")
    config = bare / ".chalice" / "config.json"

    config.write_text(config.read_text().replace("1024", "2048"))

    assert digest(tmp_path / "after") != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("packaging._RECIPE", b"another recipe"),
        ("packaging.architecture", lambda: "another"),
        ("sys.version", "3.11.0 of somebody else"),
        ("packaging.metadata.version", lambda _: "0.0.1"),
    ],
)
def test_the_digest_knows_what_it_is_made_with(
    bare, tmp_path, monkeypatch, name, value
):
    before = digest(tmp_path / "before")

    monkeypatch.setattr(name.replace("packaging", "infra.package"), value)

    assert digest(tmp_path / "after") != before


def test_of_the_environment_only_the_region_gets_in(bare, tmp_path, monkeypatch):
    before = digest(tmp_path / "before")

    monkeypatch.setenv("EVENTYARD_AUTH", "keys")
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    same = digest(tmp_path / "same")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert same == before
    assert digest(tmp_path / "after") != before
    assert packaging._environment()["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert not {"EVENTYARD_AUTH", "AWS_PROFILE"} & set(packaging._environment())


def test_new_requirements_are_other_dependencies(bare):
    before = packaging._recipe(bare / "requirements.txt")

    edit(bare / "requirements.txt")

    assert packaging._recipe(bare / "requirements.txt") != before


def test_a_build_that_breaks_off_leaves_nothing_to_be_taken(bare, monkeypatch):
    def break_off(zip_path: Path, work: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(packaging, "_chalice", lambda stage, out: out.mkdir())
    monkeypatch.setattr(packaging, "_add_bytecode", break_off)

    with pytest.raises(KeyboardInterrupt):
        packaging.package(lambda _: None)

    assert kept(bare) == set()


def test_only_the_last_few_are_kept_and_one_in_use_is_not_the_first_to_go(
    bare, monkeypatch
):
    def build(stage: Path, dependencies: Path, out: Path) -> Path:
        out.mkdir()
        (out / "deployment.zip").write_bytes((stage / "app.py").read_bytes())
        return out

    monkeypatch.setattr(packaging, "_build", build)
    source = bare / "app.py"
    before = source.read_text()
    packaging.package(lambda _: None)
    (first,) = kept(bare)
    for number in range(6):
        source.write_text(f"{before}\n# {number}\n")
        packaging.package(lambda _: None)
        source.write_text(before)
        packaging.package(lambda _: None)

    assert first in kept(bare)
    assert len(kept(bare)) == packaging._KEPT
