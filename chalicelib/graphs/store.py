"""Where graphs rest: contents in S3, what is told of each version in the table."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeGuard

from chalicelib.aws import Aws, Item
from chalicelib.graphs.content import Content, Place, Push
from chalicelib.graphs.names import TYPES
from chalicelib.table import Table, ThrottledError
from eventyard.core.errors import NotFoundError
from eventyard.core.wire import loads

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

#: How many versions of a graph are kept.
KEPT: Final = 100
_HEADS: Final = "graphs"
_FOLDER: Final = "graphs/"
#: How many pushes of one graph may come between reading and writing before we give up.
_ATTEMPTS: Final = 40
_DIGITS: Final = 9
_AT_ONCE: Final = 1_000


class MissingContentError(NotFoundError):
    """The content of this version is not in the bucket any more; push it again."""

    code = "content_missing"


@dataclass(frozen=True, slots=True)
class Version:
    """What is told of one version of a graph without its content."""

    place: Place
    number: int
    #: UTC, ISO 8601 without a zone.
    timestamp: str
    #: Of the content: equal contents share it.
    digest: str
    key: str
    has_svg: bool
    stats: dict[str, int]
    namespaces: list[str]
    commit: str | None
    bytes: int

    @property
    def etag(self) -> str:
        """Return a tag that no other version of any graph has."""
        return f"{self.digest[:20]}-{self.number}"


class GraphStore:
    """
    Versions of graphs, numbered from 1 without regard to what becomes of them.

    One item a graph (its head) tells of the newest version; it moves by a conditional
    write, in one transaction with the item of that version. The content is in S3
    before that, under a name made of number and content: whoever comes too late has
    written nothing that anybody reads. A deletion takes a number as well, so that what
    was on its way when everything was deleted never comes out under a number of old.
    """

    def __init__(self, table: Table, aws: Aws, bucket: str) -> None:
        self.table = table
        self._aws = aws
        self._bucket = bucket
        self.clock = time.time

    def heads(self, project: str, ref: str) -> dict[str, Version]:
        """Return the newest version of each type that there is, in their order."""
        places = [Place(project, ref, kind) for kind in TYPES]
        found = self.table.get_many((_HEADS, _name(place)) for place in places)
        rows = ((place, found.get((_HEADS, _name(place)))) for place in places)
        return {place.type: _version(place, row) for place, row in rows if _lives(row)}

    def head(self, place: Place) -> Version | None:
        """Return the newest version of a graph."""
        row = self._head(place)
        return _version(place, row) if _lives(row) else None

    def _head(self, place: Place) -> Item | None:
        return self.table.get(_HEADS, _name(place))

    def version(self, place: Place, number: int | None) -> Version | None:
        """Return a version, by default the newest; None when there is none."""
        head = self._head(place)
        if not _lives(head):
            return None
        if number is None or number == head["version"]:
            return _version(place, head)
        if not _floor(head) < number < head["version"]:
            return None
        row = self.table.get(_partition(place), _sort(number))
        return _version(place, row) if row else None

    def versions(
        self, place: Place, limit: int, before: int | None
    ) -> tuple[list[Version], int | None]:
        """Return a page of versions, newest first, and where the next one begins."""
        head = self._head(place)
        if not _lives(head):
            return [], None
        found = self.table.query(
            _partition(place),
            after=_sort(_floor(head)),
            until=_sort((before or head["version"] + 1) - 1),
            newest_first=True,
            limit=limit + 1,
        )
        page = [_version(place, row) for row in found]
        return page[:limit], page[limit - 1].number if len(page) > limit else None

    def projects(self) -> Iterator[Version]:
        """Yield the newest version of every graph, by project and ref."""
        for row in self.table.query(_HEADS):
            if _lives(row):
                yield _version(Place(*row["sk"].split("#")), row)

    def push(self, push: Push) -> tuple[Version, bool]:
        """
        Keep a graph; return its version, and whether that is a new one.

        Raises ThrottledError when others kept coming first.
        """
        for attempt in range(_ATTEMPTS):
            head = self._head(push.place)
            if _lives(head) and head["digest"] == push.content.digest:
                self._put_missing(head["key"], push.content)
                return _version(push.place, head), False
            made = self._try(push, head)
            if made is not None:
                return made, True
            # Whoever lost waits a little, at random, so that not all come at once.
            time.sleep(random.uniform(0, min(0.01 * 2**attempt, 0.5)))  # noqa: S311
        raise ThrottledError("Others keep pushing this graph; try again shortly.")

    def _try(self, push: Push, head: Item | None) -> Version | None:
        row = self._row(push, head)
        self._put(row["key"], push.content)
        before = None if head is None else head["version"]
        place, number = push.place, row["version"]
        top = {**row, "pk": _HEADS, "sk": _name(place)}
        beside = {**row, "pk": _partition(place), "sk": _sort(number)}
        try:
            if not self.table.advance(top, before, beside):
                return None
        except ThrottledError:
            return None
        self._prune(place, _floor(top))
        return _version(place, row)

    def _row(self, push: Push, head: Item | None) -> Item:
        number = 1 if head is None else head["version"] + 1
        content = push.content
        return {
            "version": number,
            "cleared": 0 if head is None else head["cleared"],
            "timestamp": _moment(self.clock()),
            "digest": content.digest,
            "key": f"{_folder(push.place)}{_sort(number)}-{content.digest[:16]}.json",
            "has_svg": content.svg is not None,
            "stats": content.stats,
            "namespaces": content.namespaces,
            "commit": push.commit,
            "bytes": len(content.text.encode()),
        }

    def content(self, version: Version) -> Content:
        """Read the content of a version; raises MissingContentError."""
        s3 = self._aws.s3
        try:
            answer = s3.get_object(Bucket=self._bucket, Key=version.key)
        except s3.exceptions.NoSuchKey:
            raise MissingContentError from None
        return Content.from_dict(loads(answer["Body"].read()))

    def clear(self, places: Iterable[Place]) -> list[Place]:
        """Delete all versions of graphs; return those that there were."""
        return [place for place in places if self._clear(place)]

    def _clear(self, place: Place) -> bool:
        while _lives(head := self._head(place)):
            number = head["version"] + 1
            gone = {"version": number, "cleared": number}
            if self.table.set(
                _HEADS, _name(place), gone, only_if={"version": head["version"]}
            ):
                self._prune(place, number)
                return True
        return False

    def _put_missing(self, key: str, content: Content) -> None:
        # Somebody may have emptied the bucket: who pushes the same again mends it.
        s3 = self._aws.s3
        try:
            s3.head_object(Bucket=self._bucket, Key=key)
        except s3.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004
                raise
            self._put(key, content)

    def _put(self, key: str, content: Content) -> None:
        self._aws.s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content.text.encode(),
            ContentType="application/json",
        )

    def _prune(self, place: Place, floor: int) -> None:
        """Remove what is numbered up to `floor`: what came too late as well."""
        if floor <= 0:
            return
        self._remove(list(self._keys(place, floor)))
        old = self.table.query(_partition(place), until=_sort(floor), fields=("sk",))
        self.table.delete_many((_partition(place), row["sk"]) for row in list(old))

    def _keys(self, place: Place, floor: int) -> Iterator[str]:
        folder = _folder(place)
        listed = self._aws.s3.list_objects_v2(Bucket=self._bucket, Prefix=folder)
        for found in listed.get("Contents", ()):
            number = found["Key"].removeprefix(folder).partition("-")[0]
            if number <= _sort(floor):
                yield found["Key"]

    def _remove(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _AT_ONCE):
            wanted: list[ObjectIdentifierTypeDef] = [
                {"Key": key} for key in keys[start : start + _AT_ONCE]
            ]
            self._aws.s3.delete_objects(
                Bucket=self._bucket, Delete={"Objects": wanted, "Quiet": True}
            )


def _name(place: Place) -> str:
    # No name holds a "#".
    return f"{place.project}#{place.ref}#{place.type}"


def _partition(place: Place) -> str:
    return f"graph#{_name(place)}"


def _sort(number: int) -> str:
    return str(number).zfill(_DIGITS)


def _folder(place: Place) -> str:
    return f"{_FOLDER}{hashlib.sha256(_name(place).encode()).hexdigest()[:32]}/"


def _lives(row: Item | None) -> TypeGuard[Item]:
    return row is not None and row["version"] > row["cleared"]


def _floor(head: Item) -> int:
    """Return the number up to which nothing is left."""
    floor: int = max(head["cleared"], head["version"] - KEPT)
    return floor


def _version(place: Place, row: Item) -> Version:
    return Version(
        place=place,
        number=row["version"],
        timestamp=row["timestamp"],
        digest=row["digest"],
        key=row["key"],
        has_svg=row["has_svg"],
        stats=row["stats"],
        namespaces=row["namespaces"],
        commit=row.get("commit"),
        bytes=row["bytes"],
    )


def _moment(seconds: float) -> str:
    told = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return told.isoformat(timespec="microseconds")
