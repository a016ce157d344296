"""Every mistake ends with exit code 78, names its key and its source, and repeats no secret."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.paths import find_paths
from tests.config.makers import CANARY, home, secret


class Mistake(NamedTuple):
    """`overlay` is TOML over the paper example, `variables` the environment, `sets` --set options. The
    message must have `key` and `source`: "overlay", "base", a variable, --set."""

    name: str
    key: str
    source: str
    overlay: str = ""
    variables: Mapping[str, str] = MappingProxyType({})
    sets: tuple[str, ...] = ()
    says: str = ""


FEED = '[[feeds]]\nname = "x"\nkind = "{kind}"\nsymbols = ["A"]\nstale_after = {{ bars = "15s" }}\n'
SIMULATED = FEED.format(kind="simulated") + "seed = 1\n"
CCXT = FEED.format(kind="ccxt") + 'exchange = "binance"\nchannels = ["bars"]\n'

MISTAKES = [
    Mistake("unknown section", "riks", "overlay", "[riks]\nheat_limit_bp = 5\n", says="unknown key"),
    Mistake("unknown key", "risk.heat_limit", "overlay", "[risk]\nheat_limit = 5\n", says="unknown key"),
    Mistake("unknown nested key", "campaigns.split_percent.sprong", "overlay",
            "[campaigns.split_percent]\nsprong = 1\n"),
    Mistake("variable of no section", "rsk.heat_limit_bp", "WYCKOFF_RSK__HEAT_LIMIT_BP",
            variables={"WYCKOFF_RSK__HEAT_LIMIT_BP": CANARY}, says="nearest is risk.heat_limit_bp"),
    Mistake("variable of no key", "risk.heat_limit", "WYCKOFF_RISK__HEAT_LIMIT",
            variables={"WYCKOFF_RISK__HEAT_LIMIT": CANARY}, says="nearest is risk.heat_limit_bp"),
    Mistake("variable without section", "mode", "WYCKOFF_MODE", variables={"WYCKOFF_MODE": "live"}, says="nearest"),
    Mistake("variable of the wrong type", "risk.heat_limit_bp", "WYCKOFF_RISK__HEAT_LIMIT_BP",
            variables={"WYCKOFF_RISK__HEAT_LIMIT_BP": CANARY}),
    Mistake("variable that is no JSON", "feeds", "WYCKOFF_FEEDS", variables={"WYCKOFF_FEEDS": CANARY}, says="JSON"),
    Mistake("heat above the ceiling", "risk.heat_limit_bp", "overlay", "[risk]\nheat_limit_bp = 1001\n"),
    Mistake("heat borders after the merge", "risk", "overlay", "[risk]\nheat_limit_bp = 800\n",
            says="heat_critical_bp"),
    Mistake("heat borders by a variable", "risk", "WYCKOFF_RISK__HEAT_LIMIT_BP",
            variables={"WYCKOFF_RISK__HEAT_LIMIT_BP": "800"}, says="heat_critical_bp"),
    Mistake("limit as a fraction", "risk.trade_limit_bp", "overlay", "[risk]\ntrade_limit_bp = 0.02\n"),
    Mistake("campaign over 5 percent", "campaigns.cap_percent", "overlay", '[campaigns]\ncap_percent = "50"\n'),
    Mistake("split that is not 100", "campaigns", "overlay", '[campaigns.split_percent]\nlps = "40"\n',
            says="sum to 100"),
    Mistake("unknown rule", "risk.rules", "overlay", '[risk]\nrules = ["heat", "luck"]\n', says="luck"),
    Mistake("unknown mode", "run.mode", "overlay", '[run]\nmode = "Live"\n'),
    Mistake("unknown mode by a variable", "run.mode", "WYCKOFF_RUN__MODE", variables={"WYCKOFF_RUN__MODE": CANARY}),
    Mistake("live without an account", "account.expected_account", "base", '[run]\nmode = "live"\n', says="is missing"),
    Mistake("live on a simulated feed", "feeds.0.kind", "base", '[run]\nmode = "live"\n', says="simulated"),
    Mistake("live without a loss limit", "protections", "overlay", 'protections = []\n[run]\nmode = "live"\n',
            says="daily_loss"),
    Mistake("paper with a real broker", "account.broker", "overlay", '[account]\nbroker = "alpaca"\n', says="paper"),
    Mistake("no feed", "feeds", "overlay", "feeds = []\n", says="at least one"),
    Mistake("unknown kind of feed", "feeds.0", "overlay", FEED.format(kind="bloomberg"), says="simulated"),
    Mistake("feed without seed", "feeds.0.seed", "overlay", FEED.format(kind="simulated"), says="is missing"),
    Mistake("feed without symbols", "feeds.0.symbols", "overlay", SIMULATED.replace('["A"]', "[]")),
    Mistake("symbol twice", "feeds.0.symbols", "overlay", SIMULATED.replace('["A"]', '["A", "A"]'), says="twice"),
    Mistake("two feeds of one name", "feeds.1.name", "overlay", SIMULATED + SIMULATED, says="twice"),
    Mistake("limit of silence without a unit", "feeds.0.stale_after", "overlay", SIMULATED.replace('"15s"', '"15"'),
            says="bars"),
    Mistake("channel without a limit of silence", "feeds.0", "overlay", CCXT.replace('["bars"]', '["trades"]'),
            says="stale_after.trades"),
    Mistake("key of another kind of feed", "feeds.0.seed", "overlay", CCXT + "seed = 1\n", says="unknown key"),
    Mistake("secret in a file", "account.secret_key", "overlay", f'[account]\nsecret_key = "{CANARY}"\n',
            says="secret"),
    Mistake("secret in an unknown table", "alpaca.api_key", "overlay", f'[alpaca]\napi_key = "{CANARY}"\n',
            says="secret"),
    Mistake("token in a file", "monitor.token", "overlay", f'[monitor]\ntoken = "{CANARY}"\n', says="secret"),
    Mistake("secret in an array", "feeds.0.api_token", "overlay", SIMULATED + f'api_token = "{CANARY}"\n',
            says="secret"),
    Mistake("secret on the command line", "alpaca.secret_key", "--set", sets=(f"alpaca.secret_key={CANARY}",),
            says="command line"),
    Mistake("secret that nothing wants", "alpaca.secret_key", "WYCKOFF_ALPACA__SECRET_KEY",
            variables={"WYCKOFF_ALPACA__SECRET_KEY": CANARY}, says="sets nothing"),
    Mistake("--set of no key", "risk.heat", "--set", sets=(f"risk.heat={CANARY}",), says="unknown key"),
    Mistake("--set without a value", "-", "--set", sets=("risk",), says="KEY=VALUE"),
    Mistake("monitor without port", "monitor.listen", "overlay", '[monitor]\nlisten = "127.0.0.1"\n'),
    Mistake("monitor in public without token", "monitor", "overlay",
            '[monitor]\nlisten = "0.0.0.0:8787"\ntoken_file = ""\n', says="public"),
    Mistake("unknown place", "store.sqlite", "overlay", '[store]\nsqlite = "{home}/x"\n', says="{state}"),
    Mistake("webhook without address", "notify.webhook.url_file", "overlay",
            '[notify.webhook]\nevents = ["kill"]\n', says="is missing"),
    Mistake("webhook file that is not there", "notify.webhook.url_file", "overlay",
            '[notify.webhook]\nurl_file = "{config}/secrets/none"\nevents = ["kill"]\n', says="cannot be read"),
    Mistake("unknown event", "notify.webhook.events.0", "overlay",
            f'[notify.webhook]\nurl_file = "x"\nevents = ["{CANARY}"]\n'),
    Mistake("limits of the loop the wrong way round", "live", "overlay", "[live]\nloop_stall_ms = 3000\n"),
    Mistake("protection twice", "protections.1.kind", "overlay",
            '[[protections]]\nkind = "daily_loss"\nlimit_bp = 300\nthen = "pause"\n' * 2, says="twice"),
    Mistake("protection of an unknown kind", "protections.0", "overlay",
            f'[[protections]]\nkind = "{CANARY}"\nlimit_bp = 300\nthen = "pause"\n', says="daily_loss"),
    Mistake("not TOML", "-", "overlay", f'[run]\nmode = "{CANARY}\n', says="is not TOML"),
    Mistake("a number without end", "-", "overlay", f"[run]\ncash = {'9' * 5_000}\n", says="is not TOML"),
    Mistake("brackets without end", "-", "overlay", f"[run]\ncash = {'[' * 5_000}\n", says="is not TOML"),
    Mistake("key twice", "-", "overlay", "[run]\nmode = 'paper'\nmode = 'live'\n", says="is not TOML"),
    Mistake("strategy that is not there", "run.strategies", "strategies", '[run]\nstrategies = ["moon"]\n',
            says="moon"),
    Mistake("key of a strategy", "strategies.wyckoff_bmad.luck", "overlay", "[strategies.wyckoff_bmad]\nluck = 1\n"),
    Mistake("key of the fill model", "paper.luck", "overlay", "[paper]\nluck = 1\n", says="unknown key"),
    Mistake("table of one instrument", "instruments.symbols.ACME.tick", "overlay",
            "[instruments.symbols.ACME]\ntick = '0'\n"),
    Mistake("timeframe that is none", "run", "overlay", '[run]\ntimeframes = ["2m"]\n', says="2m"),
    Mistake("wrong version", "config_version", "overlay", "config_version = 2\n"),
]  # fmt: skip


def check(
    directory: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    command: Sequence[str] = ("config", "check"),
) -> Result:
    files = ("-c", str(directory / "wyckoff.toml"), "-c", str(directory / "overlay.toml"))
    return CliRunner(env=variables).invoke(app, [*command, "--home", str(directory), *files, *arguments])


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("WYCKOFF_", "CREDENTIALS_"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name.replace(" ", "-"))
def test_a_mistake_names_its_key_and_source_and_no_value(mistake: Mistake, tmp_path: Path) -> None:
    home(tmp_path, mistake.overlay)
    sets = [part for one in mistake.sets for part in ("--set", one)]

    result = check(tmp_path, *sets, variables=mistake.variables)
    machine = check(tmp_path, *sets, "--json", variables=mistake.variables)

    sources = {"overlay": str(tmp_path / "overlay.toml"), "base": str(tmp_path / "wyckoff.toml")}
    source = sources.get(mistake.source, mistake.source)
    found = json.loads(machine.stdout)["problems"]
    assert (result.exit_code, machine.exit_code) == (78, 78), result.output
    assert [one for one in found if (one["key"] or "-") == mistake.key and one["source"].startswith(source)], found
    assert mistake.key in result.stderr
    assert source in result.stderr
    assert mistake.says in result.stderr
    assert CANARY not in result.output + machine.output


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name.replace(" ", "-"))
def test_an_engine_does_not_start_on_a_mistake(mistake: Mistake, tmp_path: Path) -> None:
    """The same table and the same code, before anything is made, locked or reached."""
    home(tmp_path, mistake.overlay)
    sets = [part for one in mistake.sets for part in ("--set", one)]

    result = check(tmp_path, *sets, variables=mistake.variables, command=("trade",))

    assert result.exit_code == 78, result.output
    assert mistake.key in result.stderr
    assert mistake.says in result.stderr
    assert CANARY not in result.output
    assert not (tmp_path / "state").exists()


def test_the_example_without_a_mistake_is_good(tmp_path: Path) -> None:
    home(tmp_path)

    result = check(tmp_path)

    assert result.exit_code == 0, result.output
    assert "mode paper" in result.stdout


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    home(tmp_path)

    result = CliRunner().invoke(app, ["config", "check", "--home", str(tmp_path), "-c", str(tmp_path / "nowhere.toml")])

    assert result.exit_code == 78
    assert "nowhere.toml" in result.stderr
    assert "cannot be read" in result.stderr


@pytest.mark.parametrize("command", ["check", "show"])
def test_an_installation_without_configuration_says_so(command: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["config", command, "--home", str(tmp_path)])

    assert result.exit_code == 78
    assert str(find_paths(tmp_path, {}, tmp_path).config_file) in result.stderr


MODES: list[tuple[str, Callable[[Path], object]]] = [
    ("readable by others", lambda path: path.chmod(0o644)),
    ("empty", lambda path: path.write_text("\n")),
    ("two lines", lambda path: path.write_text(f"{CANARY}\nsecond\n")),
    ("not text", lambda path: path.write_bytes(b"\xff\xfe")),
]


@pytest.mark.parametrize(("name", "spoil"), MODES, ids=[name for name, _ in MODES])
def test_a_secret_file_that_is_not_right_is_refused(name: str, spoil: Callable[[Path], object], tmp_path: Path) -> None:
    home(tmp_path)
    path = secret(tmp_path, "monitor_token", CANARY * 2)
    spoil(path)

    result = check(tmp_path)

    assert result.exit_code == 78, name
    assert "monitor.token_file" in result.stderr
    assert str(path) in result.stderr
    assert CANARY not in result.output


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    home(tmp_path, "[risk]\nluck = 1\n[tape]\nsnapshot_every_rows = 0\n")

    result = check(tmp_path)

    assert "risk.luck" in result.stderr
    assert "tape.snapshot_every_rows" in result.stderr


def test_there_are_at_least_thirty_kinds_of_mistakes() -> None:
    assert len({one.name for one in MISTAKES}) >= 30
    assert len({(one.overlay, *one.variables.items(), one.sets) for one in MISTAKES}) >= 30
