"""
Build the artefact: `chalice package` on a staged project, then finish its output.

What was built is kept under a digest of all that went into it: a start without edits
builds nothing.
"""

from __future__ import annotations

import compileall
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from chalicelib.graphs import module

ROOT: Final = Path(__file__).parent.parent
BUILD: Final = ROOT / ".eventyard" / "build"
#: The data botocore keeps of services that no function calls weighs 30 MB.
_SERVICES: Final = (
    "bedrock-runtime",
    "dynamodb",
    "s3",
    "signin",
    "sns",
    "sqs",
    "sso",
    "sso-oidc",
    "sts",
)
#: Layers: what only some functions need, and what each is made of.
LAYERS: Final = {
    "drawing": "requirements-drawing.txt",
    "scraping": "requirements-scraping.txt",
    "searching": "requirements-searching.txt",
}
_OURS: Final = ("app.py", "chalicelib", "eventyard", "chalice")

#: What the server takes of parts of the package: no more than does no I/O.
_PARTS: Final = {
    "events": frozenset({"__init__.py", "types.py"}),
    "jobs": frozenset(
        {"__init__.py", "base.py", "context.py", "errors.py", "scraping"}
    ),
    "orchestration": frozenset(
        {
            *("__init__.py", "circles.py", "history.py", "model.py"),
            *("news.py", "paths.py", "tasks.py"),
        }
    ),
    "rag": frozenset(
        {
            *("__init__.py", "hashing.py", "model.py", "segments.py"),
            *("spaces.py", "tell.py", "vectors.py", "vendors.py"),
        }
    ),
    "websocket": frozenset({"__init__.py", "wishes.py"}),
}

_WASTE: Final = ("_core/include", "_core/lib", "distutils", "f2py", "random/lib")
_CHALICE: Final = "import sys, chalice.cli; sys.exit(chalice.cli.main())"
#: Where the staged project has the template that Chalice merges into its own.
_RESOURCES: Final = ".chalice/resources.yaml"
#: Settings of whoever packages, in which Chalice has no part.
_SETTINGS: Final = (
    "AWS_",
    "CHALICE_",
    "EVENTYARD_",
    "GEMINI_",
    "OPENAI_",
    "OTEL_",
    "TELEMETRY_",
)
#: The recipe itself, as it runs: the file may be edited meanwhile.
_RECIPE: Final = Path(__file__).read_bytes()
#: How many built artefacts are kept: switching between branches builds nothing.
_KEPT: Final = 4

Say = Callable[[str], None]


@dataclass(frozen=True)
class Artefact:
    """What a target deploys: the code, and the template as Chalice left it."""

    zip_path: Path
    template_path: Path
    #: What only some functions are given, by name; files named after what they hold.
    layers: Mapping[str, Path]

    @property
    def digest(self) -> str:
        """Return a name for the code that changes whenever the code does."""
        with zipfile.ZipFile(self.zip_path) as archive:
            # Not the bytes of the file, which hold the time of packaging, and not the
            # bytecode, which may differ from one compilation to the next.
            held = sorted(
                (info.filename, info.CRC)
                for info in archive.infolist()
                if not info.filename.endswith(".pyc")
            )
        return hashlib.sha256(repr(held).encode()).hexdigest()[:24]


def architecture() -> str:
    """Return Lambda's name for this machine's processor: native wheels follow it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def package(say: Say, out: Path | None = None) -> Artefact:
    """Package the project into a folder; what is there already is not built again."""
    out = out or BUILD / "out"
    dependencies = _dependencies(say)
    layers = {name: _layer(name, say) for name in LAYERS}
    # Alone: who starts beside another takes what that one built.
    with _alone("artefact"):
        built = _built(dependencies, say)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)
    return Artefact(out / "deployment.zip", out / "sam.yaml", layers)


def _built(dependencies: Path, say: Say) -> Path:
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="work-") as work:
        # A copy: what is built is what the digest was taken of, even if edited now.
        stage = _stage(Path(work) / "project")
        target = BUILD / f"artefact-{_digest(stage, dependencies)}"
        if not target.exists():
            say("Packaging the functions")
            _build(stage, dependencies, Path(work) / "out").rename(target)
    os.utime(target)
    _forget_old()
    return target


def _digest(stage: Path, dependencies: Path) -> str:
    """Return a name for all that the artefact is made of, and made with."""
    made_with = [dependencies.name, sys.version, metadata.version("chalice"), _region()]
    seen = hashlib.sha256(repr(made_with).encode() + _RECIPE)
    for path in sorted(path for path in stage.rglob("*") if path.is_file()):
        read = path.read_bytes()
        seen.update(f"\n{path.relative_to(stage)} {len(read)}\n".encode() + read)
    return seen.hexdigest()[:24]


def _build(stage: Path, dependencies: Path, out: Path) -> Path:
    # The dependencies in vendor/ and no requirements: so Chalice zips in a second
    # what it would otherwise fetch anew at each edit of vendor/.
    vendor = stage / "vendor"
    shutil.copytree(dependencies, vendor, copy_function=os.link, dirs_exist_ok=True)
    _chalice(stage, out)
    _add_bytecode(out / "deployment.zip", stage.parent)
    return out


def _forget_old() -> None:
    found = sorted(BUILD.glob("artefact-*/"), key=lambda path: path.stat().st_mtime)
    for old in found[:-_KEPT]:
        shutil.rmtree(old)


def _dependencies(say: Say) -> Path:
    target = BUILD / f"dependencies-{_recipe(ROOT / 'requirements.txt')}"
    with _alone("dependencies"):
        if not target.exists():
            say("Fetching what the functions depend on")
            _fetch(target)
    return target


def _recipe(*sources: Path) -> str:
    read = [*(path.read_bytes() for path in sources), _RECIPE]
    return hashlib.sha256(b"".join(read) + architecture().encode()).hexdigest()[:16]


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _layer(name: str, say: Say) -> Path:
    sources = [ROOT / LAYERS[name]]
    if name == "drawing":
        sources += [Path(module.__file__ or ""), module.SOURCE]
    target = BUILD / f"layer-{name}-{_recipe(*sources)}.zip"
    with _alone("dependencies"):
        if not target.exists():
            say(f"Making the layer for {name}")
            _make_layer(name, target)
    return target


def _make_layer(name: str, target: Path) -> None:
    for old in BUILD.glob(f"layer-{name}-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="work-") as work:
        # Lambda looks for packages in this folder of a layer.
        folder = Path(work) / "layer" / "python"
        folder.mkdir(parents=True)
        _install(folder, ROOT / LAYERS[name])
        _trim_layer(folder)
        _compile_tree(folder)
        if name == "drawing":
            (folder / module.NAME).write_bytes(_engine())
        made = shutil.make_archive(str(Path(work) / "made"), "zip", folder.parent)
        Path(made).rename(target)


def _engine() -> bytes:
    # For any processor of the kind: who runs it has another one than this.
    processor = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture()]
    return module.compiled(f"{processor}-unknown-linux-gnu")


def _fetch(target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    for old in BUILD.glob("dependencies-*"):
        shutil.rmtree(old, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _install(unfinished, ROOT / "requirements.txt")
    _trim(unfinished)
    _compile_tree(unfinished)
    unfinished.rename(target)


def _install(target: Path, requirements: Path) -> None:
    # Chalice's own builder: it takes wheels that fit Lambda, not this machine.
    from chalice.deploy.packager import (
        DependencyBuilder,
        PipRunner,
        SubprocessPip,
    )
    from chalice.utils import OSUtils

    builder = DependencyBuilder(
        OSUtils(), PipRunner(SubprocessPip()), architecture=architecture()
    )
    abi = f"cp{sys.version_info.major}{sys.version_info.minor}"
    builder.build_site_packages(abi, str(requirements), str(target))


def _trim(target: Path) -> None:
    for entry in (target / "botocore" / "data").iterdir():
        if entry.is_dir() and entry.name not in _SERVICES:
            shutil.rmtree(entry)
    for waste in (
        "boto3/data",
        "boto3/docs",
        "boto3/examples",
        "jsonschema/tests",
        "dateutil/zoneinfo",  # botocore knows UTC alone
        "pydantic/v1",  # for models of the last major version, of which there are none
        "bin",
    ):
        shutil.rmtree(target / waste, ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


def _trim_layer(folder: Path) -> None:
    # Half of what numpy brings are its tests, and what compilers need.
    for waste in ("**/tests", *(f"numpy/{name}" for name in _WASTE)):
        for path in list(folder.glob(waste)):
            shutil.rmtree(path)
    for waste in ("*.pyi", "*.a", "_simd.*.so"):
        for path in list(folder.rglob(waste)):
            path.unlink()


def _compile_tree(target: Path) -> None:
    compileall.compile_dir(
        str(target),
        quiet=2,
        workers=os.cpu_count() or 1,
        stripdir=str(target),
        # Lambda's file system is read-only and its clock is not the packager's:
        # nothing may look at time stamps, or try to write a newer file.
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _stage(stage: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "deployments", "deployed")
    for name in ("chalicelib", ".chalice"):
        shutil.copytree(ROOT / name, stage / name, ignore=ignore)
    # The server takes no more of the package than this (import-linter holds it).
    package = (ROOT / "vendor" / "eventyard").resolve()
    shutil.copytree(package / "core", stage / "vendor/eventyard/core", ignore=ignore)
    for part, names in _PARTS.items():
        _stage_part(package / part, stage / "vendor/eventyard" / part, names)
    for name in ("__init__.py", "version.py"):
        shutil.copy(package / name, stage / "vendor/eventyard")
    shutil.copy(ROOT / "app.py", stage / "app.py")
    (stage / "requirements.txt").write_text("")
    config = json.loads((stage / ".chalice" / "config.json").read_text())
    config["lambda_architecture"] = architecture()
    (stage / ".chalice" / "config.json").write_text(json.dumps(config))
    shutil.copy(ROOT / "infra" / "resources.yaml", stage / _RESOURCES)
    return stage


def _stage_part(part: Path, target: Path, names: frozenset[str]) -> None:
    """Copy of a part of the package what the server takes."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(
        part,
        target,
        ignore=lambda folder, held: (
            set(held) - names if Path(folder) == part else ignore(folder, held)
        ),
    )


def _chalice(stage: Path, out: Path) -> None:
    command = [sys.executable, "-c", _CHALICE, "--project-dir", str(stage)]
    command += ["package", "--template-format", "yaml"]
    command += ["--merge-template", str(stage / _RESOURCES), str(out)]
    done = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"Packaging failed:\n{done.stdout}{done.stderr}")


def _environment() -> dict[str, str]:
    # Nothing gets in that the digest does not know of.
    kept = {n: v for n, v in os.environ.items() if not n.startswith(_SETTINGS)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "AWS_DEFAULT_REGION": _region()}


def _region() -> str:
    return os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def _add_bytecode(zip_path: Path, work: Path) -> None:
    with zipfile.ZipFile(zip_path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in _sources(archive):
            folder, _, module = name.rpartition("/")
            stem = module.removesuffix(".py")
            tag = sys.implementation.cache_tag
            cached = f"{folder}/__pycache__/{stem}.{tag}.pyc".lstrip("/")
            archive.writestr(cached, _bytecode(name, archive.read(name), work))


def _sources(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        if name.endswith(".py") and name.split("/")[0] in _OURS:
            yield name


def _bytecode(name: str, source: bytes, work: Path) -> bytes:
    scratch = work / "scratch.py"
    scratch.write_bytes(source)
    compiled = py_compile.compile(
        str(scratch),
        dfile=name,
        cfile=str(work / "scratch.pyc"),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return Path(str(compiled)).read_bytes()


if __name__ == "__main__":
    made = package(print)
    print(f"{made.zip_path} {made.zip_path.stat().st_size / 1e6:.1f} MB")
