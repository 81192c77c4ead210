"""Exports to S3: any stretch of the log, as files that a browser can fetch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Aws, Item
from chalicelib.events.export import Batch, Bounds, Exporter, wanted_of
from chalicelib.events.formats import FORMATS
from chalicelib.events.jobs import STEP_SECONDS, Jobs, is_over, is_planned, moment, show
from eventyard.core import ulid
from eventyard.core.wire import dumps, loads

#: As long as infra/resources.yaml keeps the files.
KEPT_SECONDS: Final = 7 * 86_400
#: How long an address for downloading works.
LINK_SECONDS: Final = 3_600
_PART: Final = Bounds(
    events=10_000,
    size=8_000_000,
    weight=len,
    largest=8_000_000,
    commits=1_000,
    seconds=STEP_SECONDS,
)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of exports, in the bucket under `exports/<id>/`."""

    aws: Aws
    bucket: str

    def put(self, key: str, text: str, media: str) -> int:
        """Write a file; return how many bytes it has."""
        body = text.encode()
        self.aws.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType=f"{media}; charset=utf-8",
        )
        return len(body)

    def link(self, key: str) -> str:
        """Return an address that gives a file to whoever has it, for an hour."""
        name = key.removeprefix("exports/").replace("/", "-")
        attached = f'attachment; filename="{name}"'
        return self.aws.link(
            self.bucket, key, LINK_SECONDS, ResponseContentDisposition=attached
        )


@dataclass(frozen=True, slots=True)
class Exports:
    """
    Writes parts of up to 8 MB, each named by its number.

    What a part holds is noted before it is written: whoever writes it again, after a
    crash or because a message came twice, writes the same.
    """

    jobs: Jobs
    exporter: Exporter
    files: Files
    tell: Callable[..., None]
    clock: Callable[[], float] = time.monotonic

    def start(
        self, wish: Mapping[str, Any], stretch: tuple[str, str], by: Principal
    ) -> Item:
        """
        Begin an export of what fits `topics` and `filter`, in a `format`.

        Raises SubscriptionError for a pattern or filter that makes no sense.
        """
        wanted_of(wish["topics"], wish["filter"])
        fields = {
            "format": wish["format"],
            "narrowed": dumps({n: wish[n] for n in ("topics", "filter")}),
            "parts": 0,
            "scanned": 0,
            "events": 0,
            "bytes": 0,
        }
        row = self.jobs.start(stretch, fields, by)
        self.tell("export.started", by, shown(row))
        return row

    def cancel(self, export_id: str, by: Principal) -> Item:
        """Stop an export before its next part; what was written expires as usual."""
        row = self.jobs.cancel(export_id)
        self.tell("export.cancelled", by, {"id": export_id})
        return row

    def parts(
        self, row: Item, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """Return a page of an export's parts; with links when it is done."""
        found = self.jobs.table.query(_parts_of(row), after=cursor, limit=limit + 1)
        parts = list(found)
        told = [self._shown_part(row, part) for part in parts[:limit]]
        return told, parts[limit - 1]["sk"] if len(parts) > limit else None

    def _shown_part(self, row: Item, part: Item) -> Item:
        key = _key(row, int(part["sk"]))
        told = {
            "name": key.rpartition("/")[2],
            "events": part["events"],
            "bytes": part["bytes"],
        }
        return {**told, "url": self.files.link(key)} if row["state"] == "DONE" else told

    def step(self, chore: Item) -> None:
        """Write parts for some seconds, and leave the rest to the queue."""
        row = self.jobs.running(chore["id"])
        deadline = self.clock() + STEP_SECONDS
        while row is not None and not is_over(row):
            row = self._part(row)
            if row is not None and not is_over(row) and self.clock() > deadline:
                self.jobs.go_on(row)
                return
        if row is not None:
            self.jobs.finish(row)

    def _part(self, row: Item) -> Item | None:
        batch = self._read(row)
        planned: Item | None = row
        if not is_planned(row):
            planned = self.jobs.plan(row, batch.end, {})
        if planned is None:
            return None
        size = self._write(planned, batch)
        return self.jobs.advance(
            planned,
            {
                "parts": row["parts"] + bool(batch.rows),
                "scanned": row["scanned"] + batch.scanned,
                "events": row["events"] + len(batch.rows),
                "bytes": row["bytes"] + size,
            },
        )

    def _read(self, row: Item) -> Batch:
        narrowed = loads(row["narrowed"])
        again = is_planned(row)
        return self.exporter.read(
            (row["position"], row["ends"] if again else row["until"]),
            wanted_of(narrowed["topics"], narrowed["filter"]),
            FORMATS[row["format"]],
            None if again else _PART,
        )

    def _write(self, row: Item, batch: Batch) -> int:
        if not batch.rows:
            return 0
        form, number = FORMATS[row["format"]], row["parts"]
        text = form.join(batch.rows, number == 0)
        size = self.files.put(_key(row, number), text, form.media)
        self.jobs.table.put(
            {
                "pk": _parts_of(row),
                "sk": f"{number:06d}",
                "events": len(batch.rows),
                "bytes": size,
                "ttl": row["ttl"],
            }
        )
        return size


def shown(row: Item) -> dict[str, Any]:
    """Return what people are told of an export."""
    first, last = (ulid.timestamp_ms(row[name]) for name in ("after", "until"))
    return {
        **show(row),
        "format": row["format"],
        **loads(row["narrowed"]),
        # The stretch begins right behind a place: with the next millisecond.
        "from": moment(first + 1) if first else None,
        "to": moment(last),
        "scanned": row["scanned"],
        "events": row["events"],
        "bytes": row["bytes"],
        "part_count": row["parts"],
        "expires_at": moment(row["ttl"] * 1000),
    }


def _key(row: Item, number: int) -> str:
    return f"exports/{row['sk']}/part-{number:06d}.{row['format']}"


def _parts_of(row: Item) -> str:
    return f"export#{row['sk']}"
