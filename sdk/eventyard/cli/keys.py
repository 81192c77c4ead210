"""`eventyard key`: make, list, rotate and revoke API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from eventyard.cli.http import Api, quoted
from eventyard.cli.options import (
    LOCAL,
    AsJson,
    Key,
    Url,
    out,
    print_json,
    print_table,
)
from eventyard.core import moments

KeyId = Annotated[str, typer.Argument(help="The id, as `list` shows it.")]


def seconds(text: str) -> int:
    """Read a duration of an option; raises what ends with 2."""
    try:
        return int(moments.duration(text).total_seconds())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def create_key(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scopes: Annotated[list[str], typer.Argument(help="events:publish, admin, ...")],
    expires_in: Annotated[
        str | None, typer.Option(help="A duration, as 90d; it lasts without.")
    ] = None,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Make a key; it is shown now and never again."""
    body = {"name": name, "scopes": scopes}
    if expires_in is not None:
        body["expires_in_s"] = seconds(expires_in)  # type: ignore[assignment]
    made = Api(url, key).post("api/v1/keys", body)
    if as_json:
        print_json(made)
    else:
        _show_secret(made["key"], made["id"])


def _show_secret(secret: str, key_id: str) -> None:
    out.print(secret, markup=False, soft_wrap=True)
    out.print(f"[dim]id {key_id}; keep it, it is not stored[/]")


def list_keys(as_json: AsJson = False, url: Url = LOCAL, key: Key = "") -> None:
    """List keys by id, name and scopes."""
    found = Api(url, key).get("api/v1/keys")["keys"]
    if as_json:
        print_json(found)
    elif found:
        rows = (
            (k["id"], k["name"], " ".join(k["scopes"]), k["created_at"], _until(k))
            for k in found
        )
        print_table(("id", "name", "scopes", "created", "until"), rows)
    else:
        out.print("No keys. Make one: eventyard key create NAME SCOPE")


def _until(row: dict[str, str | None]) -> str:
    return row.get("expires_at") or ""


def rotate_key(
    key_id: KeyId,
    grace: Annotated[
        str, typer.Option(help="How long the old secret works on, as 1d or 0s.")
    ] = "1d",
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Make a key's successor; the old secret works on for a while."""
    path = f"api/v1/keys/{quoted(key_id)}/rotate"
    made = Api(url, key).post(path, {"grace_s": seconds(grace)})
    if as_json:
        print_json(made)
    else:
        _show_secret(made["key"], made["id"])
        out.print(f"[dim]{key_id} works until {made['replaces']['expires_at']}[/]")


def revoke_key(
    key_id: KeyId, as_json: AsJson = False, url: Url = LOCAL, key: Key = ""
) -> None:
    """Revoke a key; within half a minute nothing accepts it."""
    told = Api(url, key).delete(f"api/v1/keys/{quoted(key_id)}")
    if as_json:
        print_json(told)
    else:
        out.print(f"[green]revoked[/] {key_id}")
