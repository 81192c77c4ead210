"""Make an API key straight in the table: the way in before there is any key."""

from __future__ import annotations

import argparse
import os

from chalicelib.aws import Aws
from chalicelib.keys import KeyStore
from chalicelib.table import Table
from eventyard.core.errors import EventRouterError
from infra.deploy import AWS_ERRORS, Deployer
from infra.settings import DeployError


def main(arguments: list[str] | None = None) -> None:
    """Make a key from the command line: `make key STAGE=... SCOPES=...`."""
    parser = argparse.ArgumentParser(prog="make key", description=__doc__)
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--name", default="operator")
    parser.add_argument("scopes", nargs="*", default=["admin"])
    chosen = parser.parse_args(arguments)
    try:
        table = _table(chosen.stage)
        secret, row = KeyStore(table).create(chosen.name, chosen.scopes)
    except (EventRouterError, DeployError, *AWS_ERRORS) as error:
        raise SystemExit(f"No key was made: {error}") from None
    print(f"{secret}\nid {row['id']}, scopes {', '.join(row['scopes'])}.")
    print("Keep it: only its hash is stored, nobody can show it again.")


def _table(stage: str) -> Table:
    emulator = os.environ.get("AWS_ENDPOINT_URL", "")
    if not emulator and stage == "dev":
        port = os.environ.get("EVENTYARD_EMULATOR_PORT") or "4566"
        emulator = f"http://127.0.0.1:{port}"
    if emulator:
        os.environ["AWS_ENDPOINT_URL"] = emulator
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
        # It is there, or it is not: nobody should wait seven seconds to be told.
        os.environ.setdefault("AWS_MAX_ATTEMPTS", "1")
    stack = Deployer(emulator, lambda _: None).find(stage)
    if stack is None:
        where = emulator or "AWS"
        raise DeployError(f"There is no stack eventyard-{stage} at {where}.")
    return Table(Aws(), stack.outputs["TableName"])


if __name__ == "__main__":
    main()
