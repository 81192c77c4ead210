"""`make bench`: print every figure; `--json` for programs, `--only` for one part."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.table import Table

from tests.bench import (
    bus,
    cache,
    client,
    cold,
    deliver,
    fanout,
    handler,
    matching,
    memories,
    scan,
    scrape,
    telemetry,
    way,
    webhooks,
)

_PARTS = {
    "cold": cold.measure,
    "handler": handler.measure,
    "matching": matching.measure,
    "bus": bus.measure,
    "cache": cache.measure,
    "client": client.measure,
    "scan": scan.measure,
    "scrape": scrape.measure,
    "memories": memories.measure,
    "way": way.measure,
    "deliver": deliver.measure,
    "fanout": fanout.measure,
    "webhooks": webhooks.measure,
    "telemetry": telemetry.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=_PARTS)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    console = Console(stderr=chosen.json)
    figures = {}
    for name, measure in _PARTS.items():
        if chosen.only in (None, name):
            with console.status(f"measuring: {name}"):
                figures[name] = measure()
            _show(console, name, figures[name])
    if chosen.json:
        print(json.dumps(figures, indent=2))


def _show(console: Console, name: str, figures: dict[str, object]) -> None:
    table = Table("what", "figure", title=name, box=None, title_justify="left")
    table.columns[1].justify = "right"
    for what, figure in figures.items():
        shown = f"{figure:,.1f}" if isinstance(figure, float) else str(figure)
        table.add_row(what, shown)
    console.print(table)


if __name__ == "__main__":
    main()
