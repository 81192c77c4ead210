"""`eventyard dlq`: what could not be delivered, and what to do with it."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from eventyard.cli.http import Api, quoted
from eventyard.cli.options import (
    LOCAL,
    AlwaysJson,
    AsJson,
    Key,
    Url,
    err,
    out,
    print_json,
    print_table,
)

_PATH: Final = "api/v1/dead-letters"
Ids = Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.")]
Of = Annotated[str | None, typer.Option("--subscription", help="Those of one.")]
All = Annotated[bool, typer.Option("--all", help="All that there are.")]


def list_letters(
    subscription: Of = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """List dead letters, those of the newest events first."""
    found = _pages(Api(url, key), subscription, limit)
    if as_json:
        print_json(found)
    elif found:
        titles = ("id", "type", "subscription", "last try", "tries", "reason")
        print_table(titles, map(_row, found))
    else:
        out.print("No dead letters: everything was delivered, or is on its way.")


def _pages(api: Api, subscription: str | None, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while len(found) < limit:
        query = [("limit", str(min(limit - len(found), 200)))]
        query += [("subscription", subscription)] if subscription else []
        query += [("cursor", cursor)] if cursor else []
        page = api.get(_PATH, query)
        found += page["dead_letters"]
        cursor = page["cursor"]
        if cursor is None:
            break
    return found


def _row(letter: dict[str, Any]) -> tuple[object, ...]:
    names = ("id", "type", "subscription", "last_attempt_at")
    tries = len(letter["attempts"])
    return (*(letter[name] for name in names), tries, letter["reason"])


def show_letter(
    letter_id: Annotated[str, typer.Argument(help="An id, as `list` shows it.")],
    _json: AlwaysJson = True,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Show one whole, with its attempts and its event, as JSON."""
    print_json(Api(url, key).get(f"{_PATH}/{quoted(letter_id)}"))


def retry_letters(
    ids: Ids = None,
    subscription: Of = None,
    everything: All = False,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Deliver dead letters again."""
    chosen = _chosen(ids, subscription, everything)
    _tell("retried", _all(Api(url, key), "retry", chosen), as_json)


def purge_letters(
    ids: Ids = None,
    subscription: Of = None,
    everything: All = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="It is meant: they are gone for good.")
    ] = False,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = "",
) -> None:
    """Throw dead letters away."""
    chosen = _chosen(ids, subscription, everything)
    if not confirm:
        err.print("Nothing was thrown away: say --confirm to do it for good.")
        raise typer.Exit(1)
    _tell("purged", _all(Api(url, key), "purge", {**chosen, "confirm": True}), as_json)


def _chosen(
    ids: list[str] | None,
    subscription: str | None,
    everything: bool,  # noqa: FBT001 - an option, as it was given
) -> dict[str, Any]:
    ways: dict[str, Any] = {"ids": ids, "subscription": subscription, "all": everything}
    chosen = {name: value for name, value in ways.items() if value}
    if len(chosen) != 1:
        raise typer.BadParameter("Name ids, or a --subscription, or --all.")
    return chosen


def _all(api: Api, what: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Do it until there is no more: one call does up to 500."""
    done, failed = 0, []
    while True:
        told = api.post(f"{_PATH}/{what}", chosen)
        count = told["retried" if what == "retry" else "purged"]
        done += count
        failed += told["failed"]
        if not told["more"] or not count:
            return {"done": done, "failed": failed}


def _tell(what: str, told: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001
    if as_json:
        print_json({what: told["done"], "failed": told["failed"]})
    else:
        out.print(f"[green]{what}[/] {told['done']:,}")
    for one in told["failed"]:
        line = f"stays {one['id']}: {one['reason']}"
        err.print(line, style="red", markup=False, soft_wrap=True)
    if told["failed"]:
        raise typer.Exit(1)
