"""Celery: a task is an event that its function listens to."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from eventyard.scanner._names import Name
from eventyard.scanner._scopes import FUNCTIONS, Function
from eventyard.scanner._targets import Target
from eventyard.scanner.detectors._call import Call, Use


class Celery:
    """`@shared_task`, `@app.task(name="x")`, `task.delay()`, `app.send_task("x")`."""

    methods = frozenset(("task", "delay", "apply_async", "send_task"))
    decorators = frozenset(("task", "shared_task"))

    def detect(self, call: Call) -> Iterable[Use] | None:
        """Read a task's definition, or a call of one."""
        if call.method == "send_task":
            return [Use("publishes", call.names(*call.first("name")))]
        if call.method in self.decorators:
            return _defined(call)
        names = [name for one in call.leads_to() if (name := _task(call, one))]
        return [Use("publishes", names)] if names else None


def _defined(call: Call) -> Iterable[Use] | None:
    if not isinstance(call.decorated, FUNCTIONS) or not _of_celery(call):
        return None
    path = call.scope.module.path
    return [Use("subscribes", [_name(call, call.decorated, call.scope, path)])]


def _of_celery(call: Call) -> bool:
    if call.method == "shared_task" or "celery" in call.word or call.word == "app":
        return True
    # Others have a decorator `task` as well: it is Celery's that was made by it.
    whole = call.resolver.follow(call.function, call.scope)
    return "Celery" in call.makers() or any(
        one.name.startswith("celery.") for one in whole
    )


def _task(call: Call, target: Target) -> Name:
    if isinstance(target.node, FUNCTIONS) and target.scope is not None:
        path = target.scope.module.path
        return _name(call, target.node, target.scope, path)
    known = target.node is None and "." in target.name
    return target.name if known and "self." not in target.name else None


def _name(call: Call, function: Function, scope: object, path: str) -> Name:
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(keywords=given):
                for one in given:
                    if one.arg == "name":
                        return call.resolver.names(one.value, scope)[0]  # type: ignore[arg-type]
    return f"{_import_path(Path(path))}.{function.name}"


def _import_path(path: Path) -> str:
    """Return the name by which Python imports a file: its packages' and its own."""
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts))
