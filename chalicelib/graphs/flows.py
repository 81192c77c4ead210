"""What flowed along each edge, and how it is written down, by minute and by hour."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.aws import Item
from chalicelib.graphs.lags import bucket_of
from eventyard.core.wire import dumps, loads

if TYPE_CHECKING:
    from eventyard.core.graph.model import Kind

#: Who publishes without a source, or listens without a name.
UNNAMED: Final = "unnamed"
#: No name of ours is longer; what is would fill the items.
_LONGEST: Final = 256
#: An edge is named by so many characters in an item, and so are its counters.
_ID: Final = 8
#: What no edge was named for; no longer than an id, so that it is none's counter.
LEFT_OUT: Final = "left_out"
#: An update may have 300 operands; half of that is some thirty edges.
_MOST_OPERANDS: Final = 150
#: An item may have 400 KB.
_PACKED: Final = 300_000


class Way(NamedTuple):
    """An edge as traffic knows it: a source or a subscription, and a type of event."""

    kind: Kind
    agent: str
    event: str

    @property
    def id(self) -> str:
        """Return a short name: 48 bits tell apart what one item holds."""
        text = "\0".join(self).encode()
        digest = hashlib.blake2b(text, digest_size=_ID * 6 // 8).digest()
        return base64.urlsafe_b64encode(digest).decode()


def way(kind: Kind, agent: str | None, event: str) -> Way:
    """Name an edge by what an item can hold, whatever the names are."""
    return Way(kind, _name(agent or UNNAMED), _name(event))


def _name(text: str) -> str:
    return text[:_LONGEST].encode(errors="replace").decode()


@dataclass(slots=True)
class Flow:
    """What went along one edge."""

    #: Events that arrived, and attempts that failed.
    count: int = 0
    errors: int = 0
    #: When the last one of either was, in Unix milliseconds.
    last_ms: int = 0
    #: How late they were: how many in each bucket.
    lags: Counter[int] = field(default_factory=Counter)

    def arrived(self, now_ms: int, lag_ms: float | None = None) -> None:
        """Count one event, with its time on the way in milliseconds if that counts."""
        self.count += 1
        self.last_ms = max(self.last_ms, now_ms)
        if lag_ms is not None:
            self.lags[bucket_of(lag_ms)] += 1

    def failed(self, now_ms: int) -> None:
        """Count one attempt that failed."""
        self.errors += 1
        self.last_ms = max(self.last_ms, now_ms)

    def merge(self, other: Flow) -> None:
        """Add what another one counted."""
        self.count += other.count
        self.errors += other.errors
        self.last_ms = max(self.last_ms, other.last_ms)
        self.lags.update(other.lags)


@dataclass(slots=True)
class Sheet:
    """Flows by their edge, and how much was counted without one: there were too many."""

    flows: dict[Way, Flow] = field(default_factory=dict)
    left_out: int = 0

    def flow(self, edge: Way) -> Flow:
        """Return the flow of an edge, which begins with nothing."""
        return self.flows.setdefault(edge, Flow())

    def merge(self, other: Sheet) -> None:
        """Add what another sheet holds."""
        for edge, flow in other.flows.items():
            self.flow(edge).merge(flow)
        self.left_out += other.left_out


@dataclass(frozen=True, slots=True)
class Update:
    """What one write adds to the counters of a minute, and sets beside them."""

    amounts: dict[str, int]
    facts: Item

    @property
    def operands(self) -> int:
        """Return how many names it takes."""
        return len(self.amounts) + len(self.facts)


def updates_of(flows: Iterable[tuple[Way, Flow]]) -> Iterator[Update]:
    """Write flows as few updates: mostly one."""
    update = Update({}, {})
    for edge, flow in flows:
        one = _update(edge, flow)
        if update.operands and update.operands + one.operands > _MOST_OPERANDS:
            yield update
            update = Update({}, {})
        update.amounts.update(one.amounts)
        update.facts.update(one.facts)
    if update.operands:
        yield update


def _update(edge: Way, flow: Flow) -> Update:
    name = edge.id
    amounts = {f"{name}c": flow.count, f"{name}e": flow.errors}
    amounts |= {f"{name}b{bucket}": n for bucket, n in flow.lags.items()}
    facts = {f"{name}n": list(edge), f"{name}l": flow.last_ms}
    return Update({n: amount for n, amount in amounts.items() if amount}, facts)


def counts_events(name: str) -> bool:
    """Tell whether a counter's name is one of events: bucket counters are not."""
    return name == LEFT_OUT or name[_ID:] in ("c", "e")


def read_minute(item: Item) -> Sheet:
    """Read the item of a minute."""
    sheet = Sheet(left_out=int(item.get(LEFT_OUT, 0)))
    by_id: dict[str, dict[str, Any]] = {}
    for name, value in item.items():
        if len(name) > _ID:
            by_id.setdefault(name[:_ID], {})[name[_ID:]] = value
    for fields in by_id.values():
        if "n" in fields:
            sheet.flow(Way(*fields["n"])).merge(_flow(fields))
    return sheet


def _flow(fields: dict[str, Any]) -> Flow:
    lags = {int(name[1:]): int(n) for name, n in fields.items() if name[0] == "b"}
    return Flow(
        int(fields.get("c", 0)),
        int(fields.get("e", 0)),
        int(fields.get("l", 0)),
        Counter(lags),
    )


def pack(sheet: Sheet) -> bytes:
    """Write a sheet so that it fits an item; the least of it is left out if it must."""
    import zlib

    left_out = sheet.left_out
    flows = sorted(sheet.flows.items(), key=lambda one: -one[1].count - one[1].errors)
    while True:
        text = dumps([left_out, [_row(*one) for one in flows]])
        packed = zlib.compress(text.encode())
        if len(packed) <= _PACKED:
            return packed
        dropped = flows[len(flows) // 2 :]
        flows = flows[: len(flows) // 2]
        left_out += sum(flow.count + flow.errors for _, flow in dropped)


def _row(edge: Way, flow: Flow) -> list[Any]:
    lags = [list(pair) for pair in flow.lags.items()]
    return [*edge, flow.count, flow.errors, flow.last_ms, lags]


def unpack(packed: bytes) -> Sheet:
    """Read what `pack` wrote."""
    import zlib

    left_out, rows = loads(zlib.decompress(packed))
    sheet = Sheet(left_out=left_out)
    for kind, agent, event, count, errors, last_ms, lags in rows:
        flow = Flow(count, errors, last_ms, Counter(dict(lags)))
        sheet.flow(Way(kind, agent, event)).merge(flow)
    return sheet
