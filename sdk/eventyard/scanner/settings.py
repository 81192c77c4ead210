"""The configuration file: what is scanned, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import InvalidRequestError
from eventyard.scanner.detectors import RECEIVERS, Detector, detectors

if TYPE_CHECKING:
    from eventyard.core.graph.style import Style

#: The name under which a file is found from a folder below it.
FILE: Final = "event_flow_config.yaml"
_SECTION: Final = "event_flow"
_NEVER_IN: Final = ".venv"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file says; what it does not say is as without a file."""

    agents_dir: Path | None = None
    events_dir: Path | None = None
    api_url: str | None = None
    project: str | None = None
    ref: str | None = None
    test_agents: tuple[str, ...] = ()
    receivers: tuple[str, ...] = RECEIVERS
    detectors: tuple[str, ...] | None = None
    wrappers: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    font: str | None = None
    main_flow: tuple[tuple[str, str], ...] = ()

    def read_by(self) -> list[Detector]:
        """Return the detectors that read the code."""
        return detectors(self.detectors, self.receivers, self.wrappers)

    def style(self) -> Style:
        """Return how the graphs are drawn."""
        from eventyard.core.graph.style import PLAIN, Style

        return Style(
            dict(self.colours),
            dict(self.shapes),
            self.font or PLAIN.font,
            self.main_flow,
        )


def find(folder: Path) -> Path | None:
    """Return the nearest `event_flow_config.yaml` of a folder or of those above it."""
    for place in (folder, *folder.parents):
        found = place / FILE
        if _NEVER_IN not in found.parts and found.is_file():
            return found
    return None


def load(path: Path) -> Settings:
    """
    Read a file; relative paths in it are meant from its folder.

    Both shapes are understood: a section `event_flow` under common paths, and these
    names at the top.

    Raises:
        FileNotFoundError: there is no such file.
        InvalidRequestError: it does not say what such a file says, or PyYAML, which
            the extra `scanner` brings, is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no configuration file {path}.")
    whole = _mapping(_parsed(path), str(path))
    section = _mapping(whole.get(_SECTION) or {}, f"{path}: {_SECTION}")
    return _read(_Said({**whole, **section}, path))


def _parsed(path: Path) -> Any:
    try:
        import yaml
    except ImportError:
        raise InvalidRequestError(
            "Reading a configuration file needs PyYAML: "
            "pip install 'eventyard[scanner]'."
        ) from None
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidRequestError(f"{path} is not YAML: {error}") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{where} must hold names and values.")
    return value


@dataclass(frozen=True, slots=True)
class _Said:
    """Takes values out of a file, and says which of them is wrong."""

    values: dict[str, Any]
    path: Path

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else self._text(value, name)

    def folder(self, name: str) -> Path | None:
        value = self.text(name)
        return None if value is None else self.path.parent.resolve() / value

    def texts(self, name: str) -> tuple[str, ...] | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise InvalidRequestError(f"{self.path}: {name} must be a list.")
        return tuple(self._text(one, name) for one in value)

    def table(self, *names: str) -> dict[str, str]:
        for name in names:
            value = self.values.get(name)
            if value is not None:
                table = _mapping(value, f"{self.path}: {name}")
                return {str(k): self._text(v, name) for k, v in table.items()}
        return {}

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        value = self.values.get(name) or []
        try:
            return tuple((str(start), str(end)) for start, end in value)
        except (TypeError, ValueError):
            raise InvalidRequestError(
                f"{self.path}: {name} must be a list of pairs of names."
            ) from None

    def _text(self, value: Any, name: str) -> str:
        if isinstance(value, dict | list):
            raise InvalidRequestError(f"{self.path}: {name} must be a text.")
        return str(value)


def _read(said: _Said) -> Settings:
    return Settings(
        agents_dir=said.folder("agents_dir"),
        events_dir=said.folder("events_dir"),
        api_url=said.text("api_url"),
        project=said.text("project"),
        ref=said.text("ref"),
        test_agents=said.texts("test_agents") or (),
        receivers=(*RECEIVERS, *(said.texts("receivers") or ())),
        detectors=said.texts("detectors"),
        wrappers=said.table("wrappers"),
        colours=said.table("namespaces_colors", "namespace_colors"),
        shapes=said.table("namespaces_shapes"),
        font=said.text("graph_fontname"),
        main_flow=said.pairs("main_flow"),
    )
