"""The archive: exports, and purges."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from chalicelib.api.shapes._base import Answer, Body, Moment
from chalicelib.api.shapes.events import Event
from chalicelib.api.shapes.subscriptions import Filter, Topics

State = Literal["RUNNING", "DONE", "CANCELLED"]


class ExportPage(Answer):
    """Events, oldest first."""

    events: list[Event]
    cursor: str | None = Field(
        description="Continues the export, which a page may do although it is short or "
        "empty; null at its end."
    )


class NewExport(Body):
    """What is written to files, and how."""

    format: Literal["json", "jsonl", "csv"] = Field(
        description="A file of `json` is one array; only the first one of `csv` has a "
        "header line.",
    )
    topics: Topics | None = None
    filter: Filter | None = None
    start: Moment | None = Field(
        default=None, alias="from", max_length=64, description="The first moment."
    )
    end: Moment | None = Field(
        default=None,
        alias="to",
        max_length=64,
        description="The last moment; ten seconds ago.",
    )


class Export(Answer):
    """An export to files, and how far it has come."""

    id: str = Field(examples=["exp_01M7XZWQJYDFMFZR88CEXSY7JH"])
    state: State
    format: Literal["json", "jsonl", "csv"]
    topics: list[str] = Field(description="Empty for all.")
    filter: dict[str, Any] | None
    start: Moment | None = Field(alias="from", description="Null: from the beginning.")
    end: Moment = Field(alias="to")
    progress: float = Field(ge=0, le=1)
    scanned: int = Field(description="Events looked at.")
    events: int = Field(description="Events written.")
    bytes: int
    part_count: int
    created_at: Moment
    created_by: str
    ended_at: Moment | None
    expires_at: Moment = Field(description="When its files are deleted.")


class Part(Answer):
    """One file of an export."""

    name: str = Field(examples=["part-000000.jsonl"])
    events: int
    bytes: int
    url: str | None = Field(
        default=None,
        description="Once the export is done: gives the file to whoever has this, for "
        "an hour.",
    )


class ExportWithParts(Export):
    """An export with a page of its files."""

    parts: list[Part] = Field(description="In the order of the log.")
    cursor: str | None = Field(description="Continues `parts`; null at their end.")


class Exports(Answer):
    """Exports, the newest first."""

    exports: list[Export]
    cursor: str | None


class NewPurge(Body):
    """What is deleted for good."""

    older_than: str = Field(
        max_length=64,
        description="A duration (`ms`, `s`, `m`, `h`, `d`) or a time; at least 15 "
        "minutes.",
        examples=["30d"],
    )
    confirm: bool = Field(default=False, description="Whether it is meant.")
    dry_run: bool = Field(default=False, description="Only count.")


class Purge(Answer):
    """A purge, and how far it has come."""

    id: str = Field(examples=["prg_01M7XZWQJYDFMFZR88CEXSY7JH"])
    state: State
    older_than: Moment
    progress: float = Field(ge=0, le=1)
    commits: int = Field(description="Commits deleted so far.")
    events: int = Field(description="Events deleted so far.")
    created_at: Moment
    created_by: str
    ended_at: Moment | None


class PurgeCount(Answer):
    """What a purge would delete."""

    dry_run: Literal[True]
    older_than: Moment
    commits: int
    events: int
    at_least: bool = Field(description="True when there is more than was counted.")


class PurgeOrCount(RootModel[Purge | PurgeCount]):
    """A purge, or for a dry run its counts."""


class Purges(Answer):
    """Purges, the newest first."""

    purges: list[Purge]
    cursor: str | None
