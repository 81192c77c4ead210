"""What changed on a site from one run to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

#: Lists name so many; the counts beside them are whole.
MOST: Final = 200
_GONE: Final = (404, 410)
Row = Mapping[str, Any]


def difference(
    before: Iterable[Row], now: Iterable[Row], *, whole: bool
) -> dict[str, Any] | None:
    """
    Compare the rows of two runs; None where nothing is known of the one before.

    A page has changed when something that its readers see has. A page is removed when
    its server says so, or when nothing led to it and the `whole` site was looked at;
    one that could not be asked for may still be there.
    """
    old, new = _by_url(before), _by_url(now)
    if not old:
        return None
    fine = {url: row for url, row in new.items() if row.get("error") is None}
    was = {url: row for url, row in old.items() if row.get("error") is None}
    lists = {
        "added": [url for url in fine if url not in was],
        "removed": [url for url in was if _is_gone(new.get(url), whole=whole)],
        "changed": [u for u in fine if u in was and _has_changed(was[u], fine[u])],
    }
    counts = {f"{name}_count": len(found) for name, found in lists.items()}
    same = sum(1 for url in fine if url in was) - len(lists["changed"])
    shown = {name: sorted(found)[:MOST] for name, found in lists.items()}
    contacts = _contacts([*was.values()], fine.values())
    return {**shown, **counts, "unchanged_count": same, **contacts}


def _by_url(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["key"]: row for row in rows}


def _is_gone(row: Row | None, *, whole: bool) -> bool:
    return whole if row is None else row.get("status") in _GONE


def _has_changed(before: Row, now: Row) -> bool:
    return bool(before.get("hash") != now.get("hash"))


def _contacts(before: Sequence[Row], now: Iterable[Row]) -> dict[str, Any]:
    if any(row["emails"] is None for row in before):
        # They were kept in another way: nothing can be said of what is new.
        return {"contacts_added": [], "contacts_removed": []}
    old, new = _all(before), _all(now)
    return {
        "contacts_added": sorted(new - old)[:MOST],
        "contacts_removed": sorted(old - new)[:MOST],
    }


def _all(rows: Iterable[Row]) -> set[str]:
    return {one for row in rows for kind in ("emails", "phones") for one in row[kind]}
