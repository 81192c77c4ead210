"""Paths as they are compared: one file has one path, however it was written."""

from __future__ import annotations

import posixpath


def normal_path(path: str, project: str | None = None) -> str:
    """
    Return a path in one way of writing: slashes, no dots, absolute where a project
    is given. Nothing is read from the disk.
    """
    text = path.replace("\\", "/")
    if project is not None:
        text = posixpath.join(project.replace("\\", "/"), text)
    normal = posixpath.normpath(text)
    # Two slashes at the start mean something else to POSIX, and nothing here.
    return "/" + normal.lstrip("/") if normal.startswith("//") else normal
