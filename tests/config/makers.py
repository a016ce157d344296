"""Makers of configurations: the written example with keys changed, in a folder of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.config import ConfigError, Problem, Settled, settle
from engine.config.examples import paper_example
from engine.paths import Paths, find_paths

CANARY = "CANARY-5e1f-topsecret-value"


def home(directory: Path, overlay: str = "", base: str | None = None) -> Paths:
    """An installation whose configuration is the paper example; `overlay` is a file of its own."""
    (directory / "wyckoff.toml").write_text(paper_example() if base is None else base)
    (directory / "overlay.toml").write_text(overlay)
    secret(directory, "monitor_token", "t" * 43)
    return find_paths(directory, {}, directory)


def secret(directory: Path, name: str, text: str, mode: int = 0o600) -> Path:
    folder = directory / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def settled(paths: Paths, environ: Mapping[str, str] | None = None, sets: Sequence[str] = ()) -> Settled:
    return settle([paths.config_file, paths.config / "overlay.toml"], paths, environ or {}, sets)


def mistakes(paths: Paths, environ: Mapping[str, str] | None = None, sets: Sequence[str] = ()) -> list[Problem]:
    try:
        settled(paths, environ, sets)
    except ConfigError as error:
        return list(error.problems)
    return []
