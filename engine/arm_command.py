"""`arm` and `disarm`: the one time at which a person names the account that real orders may go to.

What is armed is shown with its limits and hashes. It holds until any of it changes: the build, the place, what
decides, or the tables of account, feeds, protections and the live machine; or until its time is over.
"""

import getpass
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine import arming, exits
from engine.config import Config
from engine.config.feeds import span_s
from engine.config_command import settled
from engine.exits import ExitError, emit
from engine.iso import iso
from engine.paths import PathError, private_directory

LIVE = "live"


def run_arm(
    home: Path | None, files: Sequence[Path], sets: Sequence[str], account: str, expires: str, *, as_json: bool
) -> None:
    """Raises ExitError."""
    paths, found = settled(home, files, sets)
    refused = _unfit(found.config, account) or _set_elsewhere(arming.mode_source(found))
    refused = refused or arming.unfit_credentials(found.config, found.secrets)
    if refused:
        raise ExitError(exits.REFUSED, refused)
    now_ns = time.time_ns()  # noqa: TID251 - an operator's act has an operator's time
    directory, operator = paths.state_of(LIVE), f"{getpass.getuser()} (uid {os.geteuid()})"
    try:
        private_directory(directory)
        made = arming.arming(found.config, directory, operator, now_ns, _expiry(expires, now_ns))
        arming.arm(directory, made)
    except (PathError, OSError) as error:
        raise ExitError(exits.CANNOT_CREATE, f"{directory}: cannot be armed: {error}") from None
    emit(msgspec.json.format(msgspec.json.encode(made)).decode() if as_json else _told(found.config, made))


def run_disarm(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> None:
    """Raises ExitError."""
    paths, _ = settled(home, files, sets)
    try:
        was = arming.disarm(paths.state_of(LIVE))
    except OSError as error:
        raise ExitError(exits.CANNOT_CREATE, f"cannot be disarmed: {error}") from None
    emit("disarmed" if was else "was not armed")


def _unfit(config: Config, account: str) -> str:
    if config.run.mode != LIVE:
        return f"run.mode is {config.run.mode}: there is nothing to arm"
    assert config.account is not None
    return "" if account == config.account.expected_account else "--account is not account.expected_account"


def _set_elsewhere(source: str) -> str:
    return f"run.mode = live must stand in a file, was set by {source}" if source else ""


def _expiry(expires: str, now_ns: int) -> int:
    try:
        seconds = span_s(expires)
    except ValueError as error:
        raise ExitError(exits.USAGE, f"--expires: {error}") from None
    return arming.NEVER if seconds is None else now_ns + int(seconds * 1e9)


def _told(config: Config, made: arming.Arming) -> str:
    account, risk = config.account, config.risk
    assert account is not None
    until = "the release or the configuration changes" if made.expires_ns == arming.NEVER else iso(made.expires_ns)
    rows = {
        "armed": f"account {made.account} at {account.broker}, by {made.operator}",
        "one order": f"at most {account.max_order_notional} {config.run.currency}",
        "heat": f"below {risk.heat_limit_bp / 100:.2f} %, a trade at most {risk.trade_limit_bp / 100:.2f} %",
        "protections": ", ".join(one.kind for one in config.protections) or "none",
        "feeds": ", ".join(one.name for one in config.feeds),
        "configuration": made.config_hash,
        "bounds": f"{made.bounds_hash} of {', '.join(arming.BOUNDS)}",
        "build": made.build,
        "until": until,
    }
    return "\n".join(f"{name:14} {text}" for name, text in rows.items())
