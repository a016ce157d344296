"""Live needs signals from several places that agree; any one alone, or one that is wrong, refuses."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from engine import exits
from engine.arming import ARMED_NAME, Arming, arm, arming, disagreement, unarmed
from engine.cli import app
from engine.config import Config, shipped
from engine.config.examples import live_example
from engine.paths import Paths
from engine.trade_command import NO_ORDERS
from tests.config.makers import home, secret, settled

FILLED = '[account]\nexpected_account = "PA1"\nmax_order_notional = "500"\n'
NOW_NS = 1_800_000_000_000_000_000
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def live(tmp_path: Path) -> Config:
    return settled(home(tmp_path, FILLED, live_example())).config


@pytest.mark.parametrize(
    ("flag", "armed", "reported", "reason"),
    [
        (True, "", None, ""),
        (True, "", "PA1", ""),
        (False, "PA1", "PA1", ""),
        (True, "PA1", "PA1", ""),
        (False, "", "PA1", "neither"),
        (True, "PA2", None, "another account"),
        (False, "PA2", "PA2", "another account"),
        (False, "pa1", None, "another account"),
        (False, "1", None, "another account"),
        (True, "", "PA2", "broker reports another"),
        (True, "", "", "broker reports another"),
        (True, "PA1", "PA1 ", "broker reports another"),
    ],
)
def test_live(flag: bool, armed: str, reported: str | None, reason: str, live: Config) -> None:
    found = disagreement(live, wants_live=flag, armed_account=armed, reported_account=reported)

    assert reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("flag", "armed", "named"), [(True, "", "--live"), (False, "PA1", "ARM_LIVE"), (False, "", "")]
)
def test_a_wish_for_live_never_ends_in_paper_unnoticed(flag: bool, armed: str, named: str, tmp_path: Path) -> None:
    found = disagreement(
        settled(home(tmp_path)).config, wants_live=flag, armed_account=armed, reported_account=None
    )  # fmt: skip

    assert named in found
    assert bool(found) == bool(named)


# ------------------------------------------------------------------------------------ what `arm` leaves


def test_an_arming_holds_for_what_was_armed_and_for_nothing_else(live: Config, tmp_path: Path) -> None:
    made = arming(live, tmp_path, "alice", NOW_NS, NOW_NS + HOUR_NS)
    arm(tmp_path, made)

    assert unarmed(tmp_path, arming(live, tmp_path, "", NOW_NS + HOUR_NS - 1)) == ""
    assert "it was until" in unarmed(tmp_path, arming(live, tmp_path, "", NOW_NS + HOUR_NS))
    assert "the clock was set back" in unarmed(tmp_path, arming(live, tmp_path, "", NOW_NS - 1))
    for name in ("account", "config_hash", "bounds_hash", "build", "lock", "place"):
        other = msgspec.structs.replace(made, **{name: "another"})
        assert "another one than when it was armed" in unarmed(tmp_path, other), name


def test_an_arming_without_an_end_holds_until_something_changes(live: Config, tmp_path: Path) -> None:
    arm(tmp_path, arming(live, tmp_path, "alice", NOW_NS))

    assert unarmed(tmp_path, arming(live, tmp_path, "", NOW_NS + 10_000 * HOUR_NS)) == ""


@pytest.mark.parametrize("spoiled", [b"", b"yes", b'{"account":"PA1"}', b"\xff"])
def test_a_file_that_is_no_arming_arms_nothing(spoiled: bytes, live: Config, tmp_path: Path) -> None:
    (tmp_path / ARMED_NAME).write_bytes(spoiled)

    assert "cannot be read" in unarmed(tmp_path, arming(live, tmp_path, "", NOW_NS))


# -------------------------------------------------------------------------------------------- the commands


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Everything that live asks for but the arming."""
    for name in [name for name in os.environ if name.startswith(("WYCKOFF_", "CREDENTIALS_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    paths = home(tmp_path / "home", FILLED, live_example())
    for name in ("orders_api_key", "orders_secret_key", "alpaca_api_key", "alpaca_secret_key"):
        secret(paths.config, name, f"{name}-of-a-test")
    return paths


def wyckoff(paths: Paths, *words: str, variables: Mapping[str, str] | None = None) -> Result:
    files = ("-c", str(paths.config_file), "-c", str(paths.config / "overlay.toml"))
    return CliRunner(env=variables).invoke(app, [words[0], "--home", str(paths.config), *files, *words[1:]])


def armed(paths: Paths, *words: str) -> Result:
    return wyckoff(paths, "arm", "--account", "PA1", *words)


def test_with_every_signal_this_release_still_sends_no_real_order(place: Paths) -> None:
    assert armed(place).exit_code == 0

    result = wyckoff(place, "trade", "--live")

    assert (result.exit_code, NO_ORDERS in result.stderr) == (exits.REFUSED, True), result.output
    assert not list(place.state_of("live").glob("tapes/*"))


def test_arm_shows_what_it_arms(place: Paths) -> None:
    text, machine = armed(place), armed(place, "--expires", "24h", "--json")

    assert text.exit_code == 0, text.output
    shown = (
        "PA1 at alpaca", "at most 500 USD", "below 10.00 %", "protections daily_loss", "feeds alpaca",
        "of account, feeds, protections, live", "until the release or",
    )  # fmt: skip
    for part in shown:
        assert part in " ".join(text.stdout.split()), part
    made = msgspec.json.decode(machine.stdout, type=Arming, strict=True)
    assert made.expires_ns - made.time_ns == 24 * HOUR_NS
    assert (place.state_of("live") / ARMED_NAME).stat().st_mode & 0o777 == 0o600


def test_schema_of_an_arming_is_current() -> None:
    path = shipped("replay").parent / "schemas" / "arm.schema.json"

    assert msgspec.json.decode(path.read_bytes()) == msgspec.json.schema(Arming)


def copied_home(paths: Paths) -> Paths:
    copy = paths.config.with_name("copy")
    shutil.copytree(paths.config, copy, symlinks=True)
    return Paths(copy, copy / "state", copy / "cache", copy / "logs", copy / "run", "--home")


def moved_home(paths: Paths) -> Paths:
    """The very place, from a backup."""
    copy = copied_home(paths)
    shutil.rmtree(paths.config)
    copy.config.rename(paths.config)
    return paths


def written(text: str) -> Callable[[Paths], Paths]:
    def write(paths: Paths) -> Paths:
        with (paths.config / "overlay.toml").open("a") as file:
            file.write(text)
        return paths

    return write


def replaced(old: str, new: str) -> Callable[[Paths], Paths]:
    def write(paths: Paths) -> Paths:
        for file in (paths.config_file, paths.config / "overlay.toml"):
            text = file.read_text()
            if old in text:
                file.write_text(text.replace(old, new))
                return paths
        raise AssertionError(old)

    return write


def without(name: str) -> Callable[[Paths], Paths]:
    def remove(paths: Paths) -> Paths:
        (paths.secrets / name).unlink()
        return paths

    return remove


def same(paths: Paths) -> Paths:
    return paths


LIVE = ("trade", "--live")
BOUND = "one of the tables account, feeds, protections, live is another"
ARM = {"WYCKOFF_ARM_LIVE": "PA1"}

REFUSALS: list[tuple[str, Callable[[Paths], Paths], tuple[str, ...], Mapping[str, str], str]] = [
    ("no word at the start", same, ("trade",), {}, "neither --live nor WYCKOFF_ARM_LIVE"),
    ("the word for another account", same, ("trade",), {"WYCKOFF_ARM_LIVE": "PA2"}, "another account"),
    ("a copy of the whole home", copied_home, LIVE, {}, f"the directory that holds {ARMED_NAME}"),
    ("a home from a backup", moved_home, LIVE, {}, f"the directory that holds {ARMED_NAME}"),
    ("a limit that was changed", written("[risk]\nheat_limit_bp = 950\n"), LIVE, {}, "the configuration is another"),
    ("a larger order", replaced('max_order_notional = "500"', 'max_order_notional = "50000"'), LIVE, {}, BOUND),
    ("a larger loss of a day", replaced("limit_bp = 300\n", "limit_bp = 9000\n"), LIVE, {}, BOUND),
    ("another feed", replaced('symbols = ["AAPL"', 'symbols = ["TSLA"'), LIVE, {}, BOUND),
    ("a machine that is never full", replaced("# free_disk_mb = 256", "free_disk_mb = 16"), LIVE, {}, BOUND),
    ("no secret of orders", without("orders_secret_key"), LIVE, {}, "orders.secret_key: not found"),
    ("secrets of a feed", written('credentials = "alpaca"\n'), LIVE, {}, "is a feed's as well"),
    ("chaos", same, ("trade", "--chaos", "1"), {}, "--chaos is for run.mode = paper"),
]


@pytest.mark.parametrize(("name", "change", "words", "variables", "says"), REFUSALS, ids=[one[0] for one in REFUSALS])
def test_what_was_armed_once_starts_nothing_else(
    name: str, change: Callable[[Paths], Paths], words: tuple[str, ...], variables: Mapping[str, str], says: str,
    place: Paths,
) -> None:  # fmt: skip
    assert armed(place).exit_code == 0

    result = wyckoff(change(place), *words, variables=variables)

    assert (result.exit_code, says in result.stderr) == (exits.REFUSED, True), (name, result.output)


def test_protections_that_are_dropped_need_arming_anew(place: Paths) -> None:
    drawdown = '[[protections]]\nkind = "drawdown"\nlimit_bp = 1000\nthen = "flatten"\n'
    replaced("[[protections]]", f"{drawdown}\n[[protections]]")(place)
    assert "drawdown, daily_loss" in armed(place).stdout
    assert NO_ORDERS in wyckoff(place, *LIVE).stderr

    replaced(drawdown, "")(place)

    assert f"not armed: {BOUND}" in wyckoff(place, *LIVE).stderr


ALONE: list[tuple[str, tuple[str, ...], Mapping[str, str], str]] = [
    ("--live on a paper file", LIVE, {}, "--live was given, but run.mode is paper"),
    ("a variable on a paper file", ("trade",), ARM, "WYCKOFF_ARM_LIVE was given, but run.mode is paper"),
]


@pytest.mark.parametrize(("name", "words", "variables", "says"), ALONE, ids=[one[0] for one in ALONE])
def test_a_paper_file_never_becomes_live(
    name: str, words: tuple[str, ...], variables: Mapping[str, str], says: str, tmp_path: Path
) -> None:
    result = wyckoff(home(tmp_path), *words, variables=variables)

    assert (result.exit_code, says in result.stderr) == (exits.REFUSED, True), (name, result.output)


@pytest.mark.parametrize(
    ("words", "variables", "source"),
    [
        (("--set", "run.mode=live"), {}, "--set run.mode"),
        ((), {"WYCKOFF_RUN__MODE": "live"}, "WYCKOFF_RUN__MODE"),
    ],
)  # fmt: skip
def test_the_mode_is_live_by_a_file_alone(
    words: tuple[str, ...], variables: Mapping[str, str], source: str, place: Paths
) -> None:
    """Two options of one command line, or two variables of one file of a service, are one place."""
    paper = live_example().replace('mode = "live"', 'mode = "paper"').replace('broker = "alpaca"', 'broker = "paper"')
    place.config_file.write_text(paper)
    broker = ("--set", "account.broker=alpaca")

    for command in (("trade", "--live"), ("arm", "--account", "PA1")):
        result = wyckoff(place, *command, *words, *broker, variables={**variables, **ARM})
        told = f"run.mode = live must stand in a file, was set by {source}"
        assert (result.exit_code, told in result.stderr) == (exits.REFUSED, True), result.output


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--account", "PA2"), exits.REFUSED, "--account is not account.expected_account"),
        (("--account", "PA1", "--set", "run.mode=live"), exits.REFUSED, "was set by --set run.mode"),
        (("--account", "PA1", "--expires", "soon"), exits.USAGE, "--expires: must be a time"),
        ((), exits.USAGE, "--account"),
    ],
)
def test_arm_refuses_what_does_not_agree(words: tuple[str, ...], code: int, says: str, place: Paths) -> None:
    result = wyckoff(place, "arm", *words)

    assert (result.exit_code, says in result.stderr) == (code, True), result.output
    assert not (place.state_of("live") / ARMED_NAME).exists()


def test_paper_has_nothing_to_arm(tmp_path: Path) -> None:
    result = wyckoff(home(tmp_path), "arm", "--account", "PA1")

    assert (result.exit_code, "run.mode is paper" in result.stderr) == (exits.REFUSED, True), result.output


def test_what_is_disarmed_needs_arming(place: Paths) -> None:
    armed(place)

    assert wyckoff(place, "disarm").stdout == "disarmed\n"
    assert wyckoff(place, "disarm").stdout == "was not armed\n"
    assert "`wyckoff arm --account NUMBER` comes first" in wyckoff(place, *LIVE).stderr


if __name__ == "__main__":
    text = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Arming)), indent=2).decode()
    (shipped("replay").parent / "schemas" / "arm.schema.json").write_text(text + "\n")
