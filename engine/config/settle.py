"""From files, environment and command line to one checked configuration with its secrets.

Precedence: command line over environment over files, later files over earlier ones.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.config.credentials import Secrets, find_secrets, literals
from engine.config.merge import Layer, merged, over, read_layer, sourced
from engine.config.model import Config, parse
from engine.config.problems import ConfigError, Problem
from engine.paths import PathError, Paths


@dataclass(frozen=True, slots=True)
class Settled:
    """`layers` say where each value came from."""

    config: Config
    layers: tuple[Layer, ...]
    secrets: Secrets


def settle(files: Sequence[Path], paths: Paths, environ: Mapping[str, str], sets: Sequence[str] = ()) -> Settled:
    """Without files, the one of the installation. Raises ConfigError with every mistake found."""
    layers = layered(files or [paths.config_file], environ, sets)
    config = _parsed(layers)
    secrets, found = find_secrets(config, paths, environ)
    found = [*found, *_places(config, paths)]
    if found:
        raise ConfigError(sourced(found, layers))
    return Settled(config, layers, secrets)


def load(paths: Sequence[Path], environ: Mapping[str, str] | None = None, **fixed: Mapping[str, Any]) -> Config:
    """Files merged in order with the environment over them; no secrets. `fixed` tables win over all:
    a replay is one, whatever a file that was written for paper says. Raises ConfigError."""
    layers = layered(paths, os.environ if environ is None else environ, ())
    if not fixed:
        return _parsed(layers)
    # What is fixed would hide a mistake at the same key.
    hidden = [
        one for one in _mistakes(layers) if one.key in {f"{table}.{key}" for table in fixed for key in fixed[table]}
    ]
    if hidden:
        raise ConfigError(hidden)
    return _parsed((*layers, Layer("this command", fixed)))


def overlaid(config: Config, tables: Mapping[str, Any]) -> Config:
    """The configuration with these tables over it, key by key. Raises ConfigError."""
    return parse(over(config.model_dump(), tables), "")


def layered(files: Sequence[Path], environ: Mapping[str, str], sets: Sequence[str]) -> tuple[Layer, ...]:
    """Raises ConfigError where a layer is unusable in itself."""
    layers = [read_layer(path) for path in files]
    found = [one for layer in layers for one in literals(layer)]
    if sets or any(name.startswith("WYCKOFF_") for name in environ):
        # pydantic-settings takes a while to import, and most runs have no use for it.
        from engine.config.environment import environment_layer, set_layer

        builds: tuple[Callable[[], Layer], ...] = (partial(environment_layer, environ), partial(set_layer, sets))
        for build in builds:
            try:
                layers.append(build())
            except ConfigError as error:
                found += error.problems
    if found:
        raise ConfigError(found)
    return tuple(layers)


def located(found: Sequence[Problem], paths: Sequence[Path]) -> list[Problem]:
    """Each problem that has no source yet with the file that has the most of its key."""
    if all(one.source or not one.key for one in found):
        return list(found)
    return sourced(found, [read_layer(path) for path in paths])


def _parsed(layers: Sequence[Layer]) -> Config:
    try:
        return parse(merged(layers), "")
    except ConfigError as error:
        raise ConfigError(sourced(error.problems, layers)) from None


def _mistakes(layers: Sequence[Layer]) -> Sequence[Problem]:
    try:
        _parsed(layers)
    except ConfigError as error:
        return error.problems
    return ()


def _places(config: Config, paths: Paths) -> list[Problem]:
    """Settings that name a place below one of our directories."""
    named = {"store.sqlite": config.store.sqlite, "live.dead_man_url_file": config.live.dead_man_url_file}
    if config.monitor:
        named["monitor.token_file"] = config.monitor.token_file
        named["monitor.tls_cert_file"] = config.monitor.tls_cert_file
        named["monitor.tls_key_file"] = config.monitor.tls_key_file
    if config.notify.webhook:
        named["notify.webhook.url_file"] = config.notify.webhook.url_file
    if config.notify.telegram:
        named["notify.telegram.token_file"] = config.notify.telegram.token_file
    found = []
    for key, text in named.items():
        try:
            paths.resolved(text, config.run.mode)
        except PathError as error:
            found.append(Problem(key, str(error), ""))
    return found
