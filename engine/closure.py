"""The sources a module stands on: its own file and, through imports, every file of the project it can reach.

What a compiled kernel holds, constants and called functions alike, comes from these and nothing else.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from engine.identity import PACKAGES

ROOT = Path(__file__).resolve().parent.parent


def closure_hash(module: str, root: Path = ROOT) -> str:
    """Hash of the sources of dotted name `module` and all it imports, directly or not; 32 hex digits.

    Imports inside functions count too. Other packages than the project's are left out: they are locked.
    """
    digest = blake2b(digest_size=16)
    for path in sorted(_reached(module, root)):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _reached(module: str, root: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for path in _files(waiting.pop(), root):
            if path not in found:
                found.add(path)
                waiting += _imports(path, root)
    return found


def _files(name: str, root: Path) -> Iterator[Path]:
    """The file of a dotted name and of the packages above it; none where it is not the project's."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path


@cache
def _imports(path: Path, root: Path) -> tuple[str, ...]:
    """Dotted names a file imports. `from a import b` may mean the module a.b, so both are named."""
    names: list[str] = []
    here = path.relative_to(root).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(here[: len(here) - node.level]) if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(names)
