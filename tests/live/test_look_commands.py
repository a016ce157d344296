"""`inspect` and `why` as a user meets them: text, JSON that its schema describes, exit codes.

`python -m tests.live.test_look_commands` writes the schemas anew.
"""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from typer.testing import CliRunner, Result

from engine import exits
from engine.blocks import Trades
from engine.cli import app
from engine.config import Config, shipped
from engine.config.examples import SIMULATED
from engine.config.written import written
from engine.config_command import settled
from engine.inspect_command import Inspection
from engine.iso import iso
from engine.live.look import heat_sum, slot_of
from engine.live.rebuild import rebuilt
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import DAY_NS, Tapes
from engine.live.why import Why
from engine.live.witness import SymbolWitness, verdicts_in
from engine.messages import Action, Receipt
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock, play
from tests.markets import trade_market

SCHEMAS: dict[str, Any] = {"inspect": Inspection, "why": Why}
FOLDER = shipped("replay").parent / "schemas"
RISK = {"heat_warning_bp": 10, "heat_critical_bp": 15, "heat_limit_bp": 25}
"""So tight that some entries are too much."""


@pytest.fixture(scope="module")
def market() -> Trades:
    """Two symbols, eleven hours before and four after a midnight."""
    trades = trade_market(2, 900, 6, 7)
    shift = -int(trades.time_ns[0]) % DAY_NS - 660 * 60 * 10**9
    return trades.derive(time_ns=trades.time_ns + shift, received_ns=trades.received_ns + shift)


@pytest.fixture(scope="module")
def home(market: Trades, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose engine has traded over a midnight and ended."""
    place = tmp_path_factory.mktemp("home")
    tables = lively().model_dump(exclude_none=True)
    tables["run"] |= {"mode": "paper"}
    tables["feeds"] = [SIMULATED]
    tables["risk"] |= RISK
    tables["tape"] |= {"snapshot_every_rows": 2_000}
    (place / "wyckoff.toml").write_text(written(tables, ()))
    paths, found = settled(place, (), ())
    anyio.run(trade, market, found.config, paths.state_of("paper") / "tapes")
    return place


async def trade(market: Trades, config: Config, directory: Path) -> None:
    blocks = [market.slice(start, min(start + 97, len(market))) for start in range(0, len(market), 97)]
    feed = ListedFeed(blocks, ("S000", "S001"), ToldClock(int(market.time_ns[0]) - 1), pause_s=1e-3)
    session = LiveSession(LiveParts(config, [feed], Tapes(directory), feed.clock))
    await session.begin()
    await play(session)
    assert len(session.parts.tapes.all()) == 2


def wyckoff(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def shown(home: Path, *arguments: str) -> Any:
    """The JSON of a command, which must be exactly what its view says."""
    result = wyckoff(home, *arguments, "--json")
    assert result.exit_code == 0, result.output
    view = SCHEMAS[arguments[0]]
    return msgspec.json.decode(result.stdout, type=view, strict=True)


def at(market: Trades, part: float) -> str:
    return iso(int(market.time_ns[int(part * (len(market) - 1))]))


def tapes(home: Path) -> list[Path]:
    return Tapes(home / "state" / "paper" / "tapes").all()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_current(name: str) -> None:
    assert json.loads((FOLDER / f"{name}.schema.json").read_text()) == json.loads(
        msgspec.json.encode(msgspec.json.schema(SCHEMAS[name]))
    )


def test_inspect_shows_the_end_of_the_latest_tape(home: Path) -> None:
    found = shown(home, "inspect")

    assert found.at == ""
    assert found.tape == str(tapes(home)[-1])
    assert (found.heat.warning_bp, found.heat.critical_bp, found.heat.limit_bp) == (10, 15, 25)
    assert [(one.symbol, one.timeframe) for one in found.phases] == [("S000", "1m"), ("S001", "1m")]
    assert found.verdicts
    assert found.decisions > 20
    assert found.equity is not None


def test_inspect_shows_what_was_held_at_an_instant(home: Path) -> None:
    said = [one for tape in tapes(home) for one in verdicts_in(tape, None, 1_000)]
    (moved_ns, *_) = [one.intent.decision_ns for one in said if one.intent.action is Action.MOVE_STOP]

    held = shown(home, "inspect", "--at", iso(moved_ns - 1))

    (leg,) = [leg for one in held.campaigns for leg in one.legs if leg.quantity]
    assert [one.planned_percent for one in held.campaigns[0].legs] == [40, 30, 30]
    assert leg.state == "OPEN"
    assert leg.quantity == held.positions[0].quantity
    assert leg.stop == held.positions[0].stop
    assert held.heat.heat_bp
    assert held.orders[0].role == "STOP"


def test_nothing_later_is_shown(home: Path, market: Trades) -> None:
    moment = at(market, 0.3)

    found = shown(home, "inspect", "--at", moment)

    assert found.at == moment
    assert found.line_time <= moment
    assert all(one.time <= moment for one in found.verdicts)


def test_verdicts_are_those_that_were_decided(home: Path) -> None:
    found = shown(home, "inspect")
    said = [one for tape in tapes(home) for one in verdicts_in(tape, None, 1_000)]

    assert [one.intent for one in found.verdicts] == [one.intent.intent_id for one in said[-10:]]


def test_a_day_that_has_just_begun_shows_the_verdicts_of_the_day_before(home: Path) -> None:
    first, second = tapes(home)
    start = shown(home, "inspect", "--at", "2020-01-02T00:30:00Z")

    said = [one.intent.intent_id for one in verdicts_in(first, None, 10)]
    assert start.tape == str(second)
    assert said
    assert [one.intent for one in start.verdicts] == said


def test_people_see_legs_phases_and_sums(home: Path) -> None:
    text = wyckoff(home, "inspect", "--at", "2020-01-02T01:30:00").stdout

    for part in ("[PAPER]", "at 2020-01-02T01:30:00Z", "40 % OPEN", "at breakeven", "30 % IDLE",
                 "heat ", "equity ", "phase", "verdicts",
                 "REFUSED", "RISK HEAT_LIMIT: ", " >= 0.25 %", "digest"):  # fmt: skip
        assert part in text, part


def test_a_refusal_has_its_sum_written_out() -> None:
    units = 10**8
    receipt = Receipt(
        code="HEAT_LIMIT", value=Decimal(1070), limit=Decimal(1000), margin=Decimal(-70), equity=10_000 * units,
        open_risk=900 * units, working_risk=60 * units, new_risk=110 * units, campaign_risk=0, limit_bp=1000,
        unit_risk=Decimal(1), quantity=Decimal(110), mark=Decimal(10),
    )  # fmt: skip

    assert heat_sum(receipt) == "heat 9.60 % + 1.10 % = 10.70 % >= 10.00 %"
    just_below = msgspec.structs.replace(receipt, new_risk=40 * units - 1)
    assert heat_sum(just_below) == "heat 9.60 % + 0.40 % = nearly 10.00 % < 10.00 %"
    assert heat_sum(msgspec.structs.replace(receipt, new_risk=40 * units)).endswith("= 10.00 % >= 10.00 %")
    assert heat_sum(msgspec.structs.replace(receipt, equity=0)) == ""


@pytest.mark.parametrize("part", [0.2, 0.37, 0.81, 0.99])
@pytest.mark.parametrize("symbol", ["S000", "S001"])
def test_why_explains_the_very_state_of_the_line(home: Path, market: Trades, part: float, symbol: str) -> None:
    time_ns = int(market.time_ns[int(part * (len(market) - 1))])
    _, found = settled(home, (), ())
    witnesses: list[SymbolWitness] = []

    def listen(header: Any, _: object) -> list[SymbolWitness]:
        witnesses.append(SymbolWitness(found.config, header, (symbol, "1m"), 10))
        return witnesses

    tape = tapes(home)[0 if part < 0.7 else 1]
    built = rebuilt(tape, found.config, time_ns, listen)

    mine, line = witnesses[0].now, slot_of(built.line, built.start, symbol, "1m")
    assert [one.tobytes() for one in mine[:8]] == [one.tobytes() for one in line[:8]]  # type: ignore[union-attr]
    before = witnesses[0].before
    assert before is not None
    assert before.bars == line.bars - 1


def test_why_says_what_became_of_each_candidate(home: Path) -> None:
    found = [one for symbol in ("S000", "S001") for one in shown(home, "why", symbol).candidates]

    assert {one.verdict for one in found} >= {"APPROVED", "REFUSED", "DECLINED"}
    for one in found:
        if one.verdict in ("REFUSED", "DECLINED"):
            assert one.code
            assert one.stage
            assert float(one.margin) == pytest.approx(float(one.limit - one.value))
        if one.verdict == "REFUSED" and one.code == "HEAT_LIMIT":
            assert ">= 0.25 %" in one.sum


def test_why_names_stage_limit_and_margin_for_people(home: Path) -> None:
    text = wyckoff(home, "why", "S001").stdout

    for part in ("S001 at the end of the latest tape", "the last candidates", "margin", "S001 1m:", "heat "):
        assert part in text, part


def test_why_and_explain_show_one_view(home: Path, market: Trades) -> None:
    moment = at(market, 0.5)
    mine = shown(home, "why", "S000", "--at", moment).explanation
    tape = tapes(home)[0]
    args = ["explain", str(tape), "--symbol", "S000", "--timeframe", "1m", "--at", moment, "--json", "-q"]

    theirs = CliRunner().invoke(app, [*args, "-c", str(home / "wyckoff.toml")])

    assert theirs.exit_code == 0, theirs.output
    assert json.loads(theirs.stdout) == json.loads(msgspec.json.encode(mine))


def test_a_range_that_began_the_day_before_has_its_events(home: Path) -> None:
    found = shown(home, "why", "S000", "--at", "2020-01-02T00:20:00Z")
    (lane,) = [one for one in found.explanation.lanes if one.is_shown] or [None]

    assert found.tape == str(tapes(home)[1])
    assert found.explanation.recent
    assert found.candidates
    assert lane is None or lane.events


MISTAKES = [
    (("inspect", "--at", "2019-01-01"), exits.NOT_FOUND, "the first begins at"),
    (("inspect", "--at", "yesterday"), exits.USAGE, "--at: time must be ISO 8601"),
    (("why", "ACME"), exits.NOT_FOUND, "SYMBOL must be among S000, S001, was ACME"),
    (("why", "S000", "--timeframe", "1h"), exits.NOT_FOUND, "structure is looked for on 1m, was 1h"),
    (("inspect", "--set", "tape.snapshot_every_rows=2001"), exits.REFUSED, "config_hash of the tape must be"),
    (("why", "S000", "--set", "tape.snapshot_every_rows=2001"), exits.REFUSED, "config_hash of the tape must be"),
]


@pytest.mark.parametrize(("arguments", "code", "part"), MISTAKES)
def test_a_mistake_is_named(home: Path, arguments: tuple[str, ...], code: int, part: str) -> None:
    result = wyckoff(home, *arguments)

    assert (result.exit_code, part in result.stderr) == (code, True), result.output


def test_without_tapes_there_is_nothing_to_look_at(home: Path, tmp_path: Path) -> None:
    (tmp_path / "wyckoff.toml").write_text((home / "wyckoff.toml").read_text())

    for command in (("inspect",), ("why", "S000"), ("inspect", "--at", "2020-01-02")):
        result = wyckoff(tmp_path, *command)
        assert (result.exit_code, "there is no tape" in result.stderr) == (exits.NOT_FOUND, True), result.output


def test_a_damaged_tape_is_told(home: Path, tmp_path: Path) -> None:
    (tmp_path / "wyckoff.toml").write_text((home / "wyckoff.toml").read_text())
    copy = tmp_path / "state" / "paper" / "tapes" / tapes(home)[0].name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(tapes(home)[0].read_bytes())
    with closing(sqlite3.connect(copy)) as tape:
        tape.execute("UPDATE facts SET payload = x'00' WHERE position = 9")
        tape.commit()

    for command in (("inspect", "--at", "2020-01-01T23:00:00Z"), ("why", "S000")):
        result = wyckoff(tmp_path, *command)
        assert (result.exit_code, "fact 9" in result.stderr) == (exits.IO_FAILED, True), result.output


if __name__ == "__main__":
    for name, kind in SCHEMAS.items():
        text = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2).decode()
        (FOLDER / f"{name}.schema.json").write_text(text + "\n")
