from __future__ import annotations

import sys

import pytest

from eventyard.core.errors import InvalidRequestError
from eventyard.scanner.detectors import RECEIVERS
from eventyard.scanner.settings import Settings, find, load


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "devtools_config.yaml"
        path.write_text(text)
        return path

    return write


def test_a_section_below_common_paths(written, tmp_path):
    said = load(
        written(
            """
            agents_dir: ./agents
            events_dir: ./events
            recordings_dir: ./recordings
            event_flow:
              port: 5555
              test_agents: [token_test]
              namespace_colors: {trading: "#4caf50"}
            """
        )
    )

    assert said.agents_dir == tmp_path / "agents"
    assert said.events_dir == tmp_path / "events"
    assert said.test_agents == ("token_test",)
    assert said.style().colour("trading") == "#4caf50"
    assert said.receivers == RECEIVERS


def test_a_section_has_the_last_word(written, tmp_path):
    said = load(written("agents_dir: a\nevent_flow:\n  agents_dir: /b\n  ref: next\n"))

    assert str(said.agents_dir) == "/b"
    assert said.ref == "next"


def test_everything_at_the_top(written, tmp_path):
    said = load(
        written(
            """
            agents_dir: agents
            events_dir: events
            postman_dir: postman
            port: 5555
            graph_fontname: Helvetica
            namespaces_colors: {stock: red}
            namespaces_shapes: {stock: hexagon}
            receivers: [kernel]
            detectors: [bus]
            wrappers: {audit: publishes}
            main_flow: [[START, a.b], [a.b, END]]
            project: shop
            api_url: https://flow.test
            """
        )
    )

    style = said.style()
    assert (style.font, style.shapes) == ("Helvetica", {"stock": "hexagon"})
    assert style.main_flow == (("START", "a.b"), ("a.b", "END"))
    assert said.receivers == (*RECEIVERS, "kernel")
    assert len(said.read_by()) == 2
    assert (said.project, said.api_url) == ("shop", "https://flow.test")


@pytest.mark.parametrize("text", ["event_flow:\n  port: 5555\n", "event_flow:\n"])
def test_a_section_with_a_port_alone_is_valid(written, text):
    assert load(written(text)) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold names"),
        ("- a\n", "must hold names"),
        ("event_flow: 3\n", "event_flow must hold"),
        ("agents_dir: [a]\n", "agents_dir must be a text"),
        ("test_agents: a\n", "test_agents must be a list"),
        ("namespaces_colors: [a]\n", "namespaces_colors must hold"),
        ("main_flow: [[a]]\n", "main_flow must be a list of pairs"),
        ("a: [", "is not YAML"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_name(written, text, message):
    with pytest.raises(InvalidRequestError, match=message):
        load(written(text))


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml"):
        load(__import__("pathlib").Path("nothing.yaml"))


def test_without_pyyaml_it_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(InvalidRequestError, match=r"eventyard\[scanner\]"):
        load(written("agents_dir: a\n"))


def test_the_nearest_file_above_is_found(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "event_flow_config.yaml").write_text("{}")
    nearer = tmp_path / "a" / "event_flow_config.yaml"

    assert find(deep) == tmp_path / "event_flow_config.yaml"
    nearer.write_text("{}")
    assert find(deep) == nearer


def test_a_file_within_an_environment_is_not_ones_own(tmp_path):
    inside = tmp_path / ".venv" / "lib"
    inside.mkdir(parents=True)
    (tmp_path / ".venv" / "event_flow_config.yaml").write_text("{}")

    assert find(inside) is None
