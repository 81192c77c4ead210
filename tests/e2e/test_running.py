"""Starting, stopping, editing and deploying, as a user does them."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.listener import Listener
from tests.e2e.running import ROOT, free_port, wait_until
from tests.e2e.staged import copied


def run(module: str, *arguments: str, **environment: str) -> tuple[int, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith("EVENTYARD_")}
    kept.pop("AWS_ENDPOINT_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("variable", ["EVENTYARD_PORT", "EVENTYARD_EMULATOR_PORT"])
def test_a_busy_port_is_told_with_the_variable_to_set(tmp_path, variable):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ports = {
            "EVENTYARD_PORT": str(free_port()),
            "EVENTYARD_EMULATOR_PORT": str(free_port()),
            variable: port,
        }

        status, output = run("infra.local", EVENTYARD_STATE=str(tmp_path), **ports)

    assert status == 1
    assert f"Port {port} is in use" in output
    assert f"{variable}={int(port) + 1} make run" in output
    assert "Traceback" not in output


def test_a_port_that_is_no_number_is_told():
    status, output = run("infra.local", EVENTYARD_PORT="http")

    assert status == 1
    assert output == "EVENTYARD_PORT must be a number from 1 to 65535: 'http'\n"


def test_a_key_for_a_platform_that_does_not_run_is_refused_with_the_reason():
    status, output = run("infra.keys", EVENTYARD_EMULATOR_PORT=str(free_port()))

    assert status == 1
    assert output.startswith("No key was made: ")
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_everything_that_was_started(own_platform, number):
    own_platform.start()
    own_platform.publish("a.b", {})
    emulator = own_platform.emulator_pid

    status = own_platform.stop(number)

    assert status == 0
    assert not Path(f"/proc/{emulator}").exists()
    for port in (own_platform.port, own_platform.emulator_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def test_events_settings_and_keys_hold_over_a_restart_with_other_settings(
    own_platform,
):
    own_platform.start()
    event_id = own_platform.publish("kept.x", {"n": 1})
    own_platform.stop()
    own_platform.settings["EVENTYARD_AUTH"] = "keys"

    own_platform.start()

    assert own_platform.request("GET", f"/api/v1/events/{event_id}")[0] == 401
    status, output = run(
        "infra.keys",
        "events:subscribe",
        EVENTYARD_EMULATOR_PORT=str(own_platform.emulator_port),
    )
    assert status == 0, output
    key = output.split()[0]
    assert key.startswith("ey_")
    bearer = {"Authorization": f"Bearer {key}"}
    assert own_platform.request("GET", f"/api/v1/events/{event_id}", **bearer)[1][
        "payload"
    ] == {"n": 1}
    denied = own_platform.request("POST", "/api/v1/events", {"type": "a.b"}, **bearer)
    assert (denied[0], denied[1]["error"]["code"]) == (403, "permission_denied")
    with Listener(own_platform.live, token=key) as listener:
        assert listener.hellos


def test_an_edit_is_redeployed_by_itself(own_platform, tmp_path):
    copy = copied(tmp_path / "project")
    own_platform.root = copy
    own_platform.start()
    package = copy / "sdk" / "eventyard" / "version.py"
    package.write_text(package.read_text().replace('"0.1.0"', '"0.1.0+edited"'))

    wait_until(
        lambda: own_platform.get("/api/v1/config")["version"] == "0.1.0+edited",
        what="the edit in the deployed function",
    )
    assert any("Redeployed in" in line for line in own_platform.output)


@pytest.fixture
def emulator(tmp_path):
    """An emulator that somebody else started."""
    port = free_port()
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith("AWS_")},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "S3_DATA_DIR": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"

    def answers():
        try:
            with urllib.request.urlopen(f"{address}/_ministack/health", timeout=1):
                return True
        except OSError:
            return False

    wait_until(answers, what="the emulator's answer")
    yield address
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.soak
def test_the_stack_deploys_to_an_emulator_that_somebody_else_started(emulator):
    status, output = run("infra.deploy", "--stage", "other", AWS_ENDPOINT_URL=emulator)
    assert status == 0, output
    address = next(line.split()[1] for line in output.splitlines() if "HTTP" in line)
    request = urllib.request.Request(
        f"{address}api/v1/events",
        data=json.dumps({"type": "a.b", "payload": {"n": 1}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        event_id = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}api/v1/events/{event_id}") as answer:
        assert json.load(answer)["payload"] == {"n": 1}

    again = run("infra.deploy", "--stage", "other", AWS_ENDPOINT_URL=emulator)

    assert again[0] == 0
    assert "up to date" in again[1]


class _Poor(http.server.BaseHTTPRequestHandler):
    """An emulator that says it has no WebSocket API."""

    def do_GET(self):
        self.send_response(501 if self.path.startswith("/v2/apis") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_an_emulator_that_lacks_services_is_told_apart_by_name():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Poor)
    threading.Thread(target=server.serve_forever).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"

    status, output = run("infra.deploy", AWS_ENDPOINT_URL=address)
    server.shutdown()
    server.server_close()

    assert status == 1
    assert "lacks" in output
    assert "apigatewayv2" in output
    assert "Traceback" not in output


def test_no_emulator_at_the_address_is_told_with_what_to_do():
    address = f"http://127.0.0.1:{free_port()}"

    status, output = run("infra.deploy", AWS_ENDPOINT_URL=address)

    assert status == 1
    assert f"No emulator answers at {address}" in output


def test_an_open_platform_is_refused_for_aws():
    status, output = run("infra.deploy", "--stage", "prod", EVENTYARD_AUTH="open")

    assert status == 1
    assert "EVENTYARD_AUTH=open is for local use" in output
