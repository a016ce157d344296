"""What makes two runs comparable: the hash of the code, of what it runs on, of its settings.

A tape remembers all three. Recovery goes on only under the same ones.
"""

import platform
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import msgspec

PACKAGES = ("engine", "adapters", "strategies")
LOCKED = ("llvmlite", "msgspec", "numba", "numpy")
"""The distributions that compute: another version of these may give other bits."""


class Identity(msgspec.Struct, frozen=True):
    """Hex digests, 32 characters each."""

    build: str
    lock: str
    config: str


@cache
def build_hash(root: Path | None = None) -> str:
    """Hash of every source file of the project's packages, by relative path and content.

    Read once in a process: what runs is what was loaded.
    """
    base = root or Path(__file__).resolve().parent.parent
    digest = blake2b(digest_size=16)
    for package in PACKAGES:
        for path in sorted((base / package).rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.relative_to(base).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def lock_hash() -> str:
    """Hash of the interpreter, the CPU family and the installed distributions that compute."""
    parts = [platform.python_version(), platform.machine(), *(f"{name}=={version(name)}" for name in LOCKED)]
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def config_hash(settings: object) -> str:
    """Hash of plain settings (dicts, lists, scalars), independent of key order."""
    return blake2b(msgspec.json.encode(settings, order="deterministic"), digest_size=16).hexdigest()
