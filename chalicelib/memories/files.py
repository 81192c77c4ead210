"""Segments of vectors in the bucket; those that were read are kept, up to a size."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from chalicelib.aws import Aws
from chalicelib.memories.model import Segment, Space
from eventyard.core import ulid
from eventyard.core.errors import UnavailableError
from eventyard.rag import segments
from eventyard.rag.vectors import Block

#: What a process keeps of segments: a full space in float16 and float32, and some more.
MOST_BYTES: Final = 360_000_000
#: So many are read at once.
_AT_ONCE: Final = 8
#: So long does a file stay that no space names: whoever read the space before looks yet.
_LEFT_S: Final = 900


class SegmentGoneError(UnavailableError):
    """A segment is not there any more: its space has others by now."""

    code = "segment_gone"


@dataclass
class SegmentFiles:
    """Reads and writes segments, which never change: a name stands for one content."""

    aws: Aws
    bucket: str
    most_bytes: int = MOST_BYTES
    clock: Callable[[], float] = time.time
    _kept: OrderedDict[str, Block] = field(default_factory=OrderedDict)
    _held: int = 0

    def write(self, space: str, block: Block) -> Segment:
        """Write a block under a name of its own."""
        name = f"{folder(space)}{ulid.new_ulid(int(self.clock() * 1_000))}.eym"
        body = segments.write(block)
        self.aws.s3.put_object(Bucket=self.bucket, Key=name, Body=body)
        return Segment(name, len(block.ids), block.ids[0], block.ids[-1])

    def blocks(self, wanted: Sequence[Segment]) -> Iterator[Block]:
        """
        Yield the blocks of segments, in their order; what is missing is read at once.

        Raises SegmentGoneError.
        """
        missing = [one.name for one in wanted if one.name not in self._kept]
        if len(missing) < 2:  # noqa: PLR2004 - nothing to do at the same time
            yield from (self._block(one.name) for one in wanted)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = dict(zip(missing, pool.map(self._read, missing), strict=True))
        for one in wanted:
            fresh = read.pop(one.name, None)
            yield self._keep(one.name, fresh) if fresh else self._block(one.name)

    def _block(self, name: str) -> Block:
        kept = self._kept.get(name)
        if kept is None:
            return self._keep(name, self._read(name))
        self._kept.move_to_end(name)
        return kept

    def _read(self, name: str) -> Block:
        try:
            answer = self.aws.s3.get_object(Bucket=self.bucket, Key=name)
        except self.aws.s3.exceptions.NoSuchKey:
            raise SegmentGoneError from None
        return segments.read(answer["Body"].read())

    def _keep(self, name: str, block: Block) -> Block:
        if name not in self._kept:
            self._kept[name] = block
            self._held += block.bytes_held
        while self._held > self.most_bytes and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._held -= old.bytes_held
        return block

    @property
    def bytes_kept(self) -> int:
        """Return how much of the memory is in use."""
        return self._held

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, those that are there."""
        for name in names:
            self.aws.s3.delete_object(Bucket=self.bucket, Key=name)

    def tidy(self, space: Space) -> None:
        """Remove the files of a space that it named long ago, or never."""
        now = self.clock()
        used = {segment.name for segment in space.segments}
        used |= {name for name, at in space.dropped if now - at < _LEFT_S}
        listed = self.aws.s3.list_objects_v2(
            Bucket=self.bucket, Prefix=folder(space.name)
        )
        old = (
            one["Key"]
            for one in listed.get("Contents", ())
            if now - one["LastModified"].timestamp() >= _LEFT_S
        )
        self.remove(name for name in old if name not in used)


def folder(space: str) -> str:
    """Return where the files of a space are: its name may hold anything."""
    return f"memories/{hashlib.sha256(space.encode()).hexdigest()[:32]}/"
