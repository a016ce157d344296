"""Whether real orders may be sent: several signals, given in different places, have to agree.

A file says run.mode = "live", whoever starts says --live or WYCKOFF_ARM_LIVE, and `wyckoff arm` has named the
account once at this very place, under this build, with what decides and what bounds it as they are. One typo, one
variable or a copied file must not make paper live, and a wish for live must not end in paper unnoticed: every
disagreement refuses to start.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from engine.config import Config, Secrets, Settled
from engine.config.merge import origin
from engine.identity import build_hash, config_hash, lock_hash
from engine.iso import iso

ARMED_NAME: Final = "ARMED"
MOST_BYTES: Final = 8_192
BOUNDS: Final = ("account", "feeds", "protections", "live")
"""The tables that decide nothing, but bound what real orders can do: where they go and how large they are, what is
looked at, and when the engine stops by itself."""

NEVER: Final = 0
"""`expires_ns` of an arming that ends with its build and configuration alone."""


class Arming(msgspec.Struct, frozen=True):
    """That an operator named the account. `config_hash` is of what decides, `bounds_hash` of the tables in BOUNDS;
    `place` tells the directory from its copies."""

    account: str
    config_hash: str
    bounds_hash: str
    build: str
    lock: str
    place: str
    operator: str
    time_ns: int
    expires_ns: int = NEVER


def disagreement(
    config: Config, *, wants_live: bool, armed_account: str, reported_account: str | None, mode_source: str = ""
) -> str:
    """Why a start is refused, "" where all signals agree.

    `wants_live` is --live, `armed_account` the variable WYCKOFF_ARM_LIVE, `reported_account` what the broker
    says, None before it has been asked. `mode_source` is the variable or option that sets run.mode, "" for a file.
    """
    if config.run.mode != "live":
        asked = "--live" if wants_live else "WYCKOFF_ARM_LIVE" if armed_account else ""
        return f"{asked} was given, but run.mode is {config.run.mode}" if asked else ""
    assert config.account is not None
    expected = config.account.expected_account
    if mode_source:
        return f"run.mode = live must stand in a file, was set by {mode_source}"
    if not wants_live and not armed_account:
        return "run.mode is live, but neither --live nor WYCKOFF_ARM_LIVE was given"
    if armed_account and armed_account != expected:
        return "WYCKOFF_ARM_LIVE names another account than account.expected_account"
    if reported_account is not None and reported_account != expected:
        return "the broker reports another account than account.expected_account"
    return ""


def mode_source(settled: Settled) -> str:
    """The variable or option that sets run.mode; "" where a file does."""
    source = origin("run.mode", settled.layers)
    return source if source.startswith(("WYCKOFF_", "--set")) else ""


def unfit_credentials(config: Config, secrets: Secrets) -> str:
    """Why the account's secrets cannot be those of live orders, "" where they can be."""
    assert config.account is not None
    group = config.account.credentials
    if any(getattr(feed, "credentials", "") == group for feed in config.feeds):
        return f'account.credentials = "{group}" is a feed\'s as well: keys that may send orders stand apart'
    missing = [f"{group}.{field}" for field in ("api_key", "secret_key") if secrets.get(f"{group}.{field}") is None]
    return f"{', '.join(missing)}: not found, and orders need it" if missing else ""


def arming(config: Config, directory: Path, operator: str, now_ns: int, expires_ns: int = NEVER) -> Arming:
    """What arms this configuration, under this build, in this directory."""
    assert config.account is not None
    account = config.account.expected_account
    return Arming(
        account, config.hash, bounds_hash(config), build_hash(), lock_hash(), place(directory), operator, now_ns,
        expires_ns,
    )  # fmt: skip


def bounds_hash(config: Config) -> str:
    return config_hash(config.model_dump(mode="json", include=set(BOUNDS)))


def arm(directory: Path, made: Arming) -> None:
    """Durable on return. Raises OSError."""
    path, fresh = directory / ARMED_NAME, directory / f".{ARMED_NAME}.new"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.encode(made) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def disarm(directory: Path) -> bool:
    """Whether it was armed. Raises OSError."""
    was = (directory / ARMED_NAME).exists()
    with suppress(FileNotFoundError):
        (directory / ARMED_NAME).unlink()
    return was


def unarmed(directory: Path, wanted: Arming) -> str:
    """Why what stands in `directory` does not arm `wanted`, "" where it does."""
    try:
        with (directory / ARMED_NAME).open("rb") as stream:
            found = msgspec.json.decode(stream.read(MOST_BYTES), type=Arming)
    except FileNotFoundError:
        return "not armed: `wyckoff arm --account NUMBER` comes first"
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return f"not armed: {directory / ARMED_NAME} cannot be read; `wyckoff arm` writes it anew"
    for name in ("account", "config_hash", "bounds_hash", "build", "lock", "place"):
        if getattr(found, name) != getattr(wanted, name):
            return f"not armed: {WORDS[name]} another one than when it was armed; `wyckoff arm` again"
    if found.expires_ns != NEVER and wanted.time_ns >= found.expires_ns:
        return f"not armed: it was until {iso(found.expires_ns)}; `wyckoff arm` again"
    if wanted.time_ns < found.time_ns:
        return f"not armed: it was armed at {iso(found.time_ns)}, after now: the clock was set back"
    return ""


WORDS: Final = {
    "account": "account.expected_account is",
    "config_hash": "the configuration is",
    "bounds_hash": f"one of the tables {', '.join(BOUNDS)} is",
    "build": "the release is",
    "lock": "the interpreter, the CPU or an installed package is",
    "place": f"the directory that holds {ARMED_NAME} is",
}


def place(directory: Path) -> str:
    """Raises OSError."""
    about = directory.stat()
    return f"{directory.absolute()} {about.st_dev}:{about.st_ino}"
