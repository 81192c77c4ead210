"""The jobs of a program, in SQLite or PostgreSQL: one SQL for both."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, Final, Protocol, Self

#: Where jobs are kept unless one says otherwise: with the program, and no longer.
MEMORY: Final = ":memory:"
Row = dict[str, Any]

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS jobs (
        job_id TEXT PRIMARY KEY,
        task_id TEXT NOT NULL UNIQUE,
        service_name TEXT NOT NULL,
        status TEXT NOT NULL,
        priority BIGINT NOT NULL,
        requires TEXT NOT NULL,
        data TEXT NOT NULL,
        result TEXT,
        error TEXT,
        progress DOUBLE PRECISION NOT NULL DEFAULT 0,
        attempts BIGINT NOT NULL DEFAULT 0,
        checkpoint TEXT,
        assigned_node TEXT,
        cancel_requested BIGINT NOT NULL DEFAULT 0,
        place BIGINT NOT NULL,
        not_before DOUBLE PRECISION NOT NULL DEFAULT 0,
        lease_until DOUBLE PRECISION NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL,
        started_at TEXT,
        completed_at TEXT
    )""",
    "CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (status, priority, place)",
    "CREATE INDEX IF NOT EXISTS jobs_of_service ON jobs (service_name, place)",
    """CREATE TABLE IF NOT EXISTS job_results (
        job_id TEXT NOT NULL,
        row_key TEXT NOT NULL,
        row_data TEXT NOT NULL,
        PRIMARY KEY (job_id, row_key)
    )""",
    """CREATE TABLE IF NOT EXISTS job_turns (
        name TEXT PRIMARY KEY,
        next_at DOUBLE PRECISION NOT NULL
    )""",
)
#: What the scraper's jobs and pages are called by those who query them.
_VIEWS: Final = {
    "scraper_jobs": """SELECT job_id, {url} AS url, {max_pages} AS max_pages, status,
        assigned_node, progress, result, error, created_at, started_at, completed_at
        FROM jobs WHERE service_name = 'scraper'""",
    "scraper_results": """SELECT job_id, {row_url} AS url, {emails} AS emails,
        {phones} AS phones, {links_count} AS links_count, {error} AS error,
        {crawled_at} AS crawled_at FROM job_results
        WHERE job_id IN (SELECT job_id FROM jobs WHERE service_name = 'scraper')""",
}
_FIELDS: Final = {
    "url": ("data", "url"),
    "max_pages": ("data", "max_pages"),
    **{
        name: ("row_data", name.removeprefix("row_"))
        for name in (
            *("row_url", "emails", "phones"),
            *("links_count", "error", "crawled_at"),
        )
    },
}


class _Adapter(Protocol):
    """One kind of database."""

    def field(self, column: str, name: str) -> str:
        """Return what reads a field of a JSON text."""
        ...

    def view(self, name: str, select: str) -> tuple[str, ...]:
        """Return what makes a view anew."""
        ...

    async def execute(self, sql: str, values: Sequence[Any]) -> int: ...

    async def fetch_all(self, sql: str, values: Sequence[Any]) -> list[Row]: ...

    async def close(self) -> None: ...


class DatabaseManager:
    """
    Runs SQL with `?` for values, in SQLite (the default) or PostgreSQL.

    The tables are made when it is first used; a second program may use the same ones.

    Args:
        db_type: `sqlite` or `postgresql`.
        db_path: A file for SQLite; by default nothing outlives the program.
        dsn: Where PostgreSQL is, such as `postgresql://user@host/name`.

    Raises:
        ValueError: there is no adapter for such a database.
    """

    def __init__(
        self, db_type: str = "sqlite", db_path: str = MEMORY, dsn: str | None = None
    ) -> None:
        self.db_type = db_type
        self._adapter = _adapter(db_type, db_path, dsn)
        self._ready = False
        self._making = asyncio.Lock()

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; return how many rows it changed."""
        await self._prepare()
        return await self._adapter.execute(sql, values)

    async def fetch_one(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """Return the first row, by the names of its columns, or None."""
        found = await self.fetch_all(sql, values)
        return found[0] if found else None

    async def fetch_all(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return all rows, by the names of their columns; also what is RETURNED."""
        await self._prepare()
        return await self._adapter.fetch_all(sql, values)

    async def close(self) -> None:
        """Let go of the database; it can be used again afterwards."""
        self._ready = False
        await self._adapter.close()

    async def __aenter__(self) -> Self:
        """Make the tables."""
        await self._prepare()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the database."""
        await self.close()

    async def _prepare(self) -> None:
        if self._ready:
            return
        async with self._making:
            if not self._ready:
                for statement in (*_TABLES, *self._views()):
                    await self._adapter.execute(statement, ())
                self._ready = True

    def _views(self) -> list[str]:
        read = {name: self._adapter.field(*place) for name, place in _FIELDS.items()}
        return [
            statement
            for name, select in _VIEWS.items()
            for statement in self._adapter.view(name, select.format(**read))
        ]


def _adapter(db_type: str, db_path: str, dsn: str | None) -> _Adapter:
    if db_type == "sqlite":
        return _Sqlite(db_path)
    if db_type in ("postgresql", "postgres"):
        if not dsn:
            raise ValueError("PostgreSQL needs a dsn: postgresql://user@host/name")
        return _Postgres(dsn)
    raise ValueError(f"There is no adapter for {db_type!r}: sqlite or postgresql.")


class _Sqlite:
    """SQLite on a thread, one statement at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()

    def field(self, column: str, name: str) -> str:
        return f"json_extract({column}, '$.{name}')"

    def view(self, name: str, select: str) -> tuple[str, ...]:
        return (f"CREATE VIEW IF NOT EXISTS {name} AS {select}",)

    async def execute(self, sql: str, values: Sequence[Any]) -> int:
        async with self._turn:
            return await asyncio.to_thread(self._execute, sql, values)

    def _execute(self, sql: str, values: Sequence[Any]) -> int:
        return self._open().execute(sql, values).rowcount

    async def fetch_all(self, sql: str, values: Sequence[Any]) -> list[Row]:
        async with self._turn:
            return await asyncio.to_thread(self._fetch, sql, values)

    def _fetch(self, sql: str, values: Sequence[Any]) -> list[Row]:
        return [dict(row) for row in self._open().execute(sql, values)]

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            made = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=30
            )
            made.row_factory = sqlite3.Row
            # Readers beside a writer; a crash of the program loses nothing.
            made.execute("PRAGMA journal_mode = WAL")
            self._connection = made
        return self._connection

    async def close(self) -> None:
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                await asyncio.to_thread(connection.close)


class _Postgres:
    """PostgreSQL by asyncpg, which is imported when it is first used."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Any = None

    def field(self, column: str, name: str) -> str:
        return f"{column}::jsonb ->> '{name}'"

    def view(self, name: str, select: str) -> tuple[str, ...]:
        return (f"CREATE OR REPLACE VIEW {name} AS {select}",)

    async def execute(self, sql: str, values: Sequence[Any]) -> int:
        status = await (await self._open()).execute(_numbered(sql), *values)
        last = str(status).rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def fetch_all(self, sql: str, values: Sequence[Any]) -> list[Row]:
        found = await (await self._open()).fetch(_numbered(sql), *values)
        return [dict(row) for row in found]

    async def _open(self) -> Any:
        if self._pool is None:
            try:
                import asyncpg  # type: ignore[import-untyped]
            except ImportError:
                raise ModuleNotFoundError(
                    "PostgreSQL needs asyncpg: pip install 'eventyard[postgres]'"
                ) from None
            self._pool = await asyncpg.create_pool(self._dsn, min_size=1, max_size=8)
        return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()


def _numbered(sql: str) -> str:
    """Write `$1`, `$2` for each `?`; our own statements have no other ones."""
    parts = sql.split("?")
    return "".join(part if at == 0 else f"${at}{part}" for at, part in enumerate(parts))
