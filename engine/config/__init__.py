"""Configuration: layers of settings merged into one frozen model, every mistake told with its source.

`settle` reads files, environment and command line for a running engine, `load` files and
environment for a replay. What needs the whole picture imports the modules below.
"""

from pathlib import Path

from engine.config.credentials import Secret, Secrets
from engine.config.model import CONFIG_VERSION, Config, parse
from engine.config.problems import ConfigError, Problem, problem_table, problems, told
from engine.config.reload import Change, Changes, compare
from engine.config.replay_tables import InstrumentSettings, InstrumentsSettings, RunSettings, TapeSettings
from engine.config.settle import Settled, load, located, overlaid, settle

__all__ = [
    "CONFIG_VERSION",
    "Change",
    "Changes",
    "Config",
    "ConfigError",
    "InstrumentSettings",
    "InstrumentsSettings",
    "Problem",
    "RunSettings",
    "Secret",
    "Secrets",
    "Settled",
    "TapeSettings",
    "compare",
    "load",
    "located",
    "overlaid",
    "parse",
    "problem_table",
    "problems",
    "settle",
    "shipped",
    "told",
]


def shipped(name: str) -> Path:
    """A configuration that comes with the engine, such as `replay`."""
    return Path(__file__).resolve().parent.parent.parent / "configs" / f"{name}.toml"
