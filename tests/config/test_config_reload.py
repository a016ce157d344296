"""A reload: which keys take effect at once, which need a restart, and that nothing else changes."""

from pathlib import Path

import pytest

from engine.config import Config, compare
from engine.config.credentials import PLAIN_VARIABLES
from engine.config.keys import keys
from engine.config.reload import LIVE_SECRETS, changed_secrets, is_live, with_live
from tests.config.makers import CANARY, home, secret, settled

FEED = (
    '[[feeds]]\nname = "{name}"\nkind = "simulated"\nsymbols = ["A"]\nseed = 2\nstale_after = {{ bars = "{bars}" }}\n'
)
CCXT = (
    '[[feeds]]\nname = "x"\nkind = "ccxt"\nexchange = "binance"\nsymbols = ["A"]\nchannels = [{channels}]\n'
    "stale_after = {{ {stale} }}\n"
)


def config(directory: Path, overlay: str = "", **sets: str) -> Config:
    return settled(
        home(directory, overlay), sets=[f"{key.replace('__', '.')}={text}" for key, text in sets.items()]
    ).config


def test_nothing_changed_is_nothing(tmp_path: Path) -> None:
    found = compare(config(tmp_path), config(tmp_path))

    assert (found.live, found.restart) == ((), ())


def test_live_and_restart_are_told_apart_with_both_values(tmp_path: Path) -> None:
    found = compare(config(tmp_path), config(tmp_path, log__level="debug", risk__heat_limit_bp="950"))

    assert [(one.key, one.before, one.after) for one in found.live] == [("log.level", "info", "debug")]
    assert [(one.key, one.before, one.after) for one in found.restart] == [("risk.heat_limit_bp", "1000", "950")]


def test_a_feeds_limit_of_silence_is_live(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))

    found = compare(before, config(tmp_path, FEED.format(name="a", bars="9s")))

    assert (found.live_keys, found.restart_keys) == (("feeds.0.stale_after.bars",), ())


def test_a_feed_that_becomes_another_one_keeps_its_limit_until_the_restart(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))

    found = compare(before, config(tmp_path, FEED.format(name="b", bars="9s")))

    assert (found.live_keys, found.restart_keys) == ((), ("feeds.0.name", "feeds.0.stale_after.bars"))


def test_a_table_that_comes_or_goes_is_live_where_all_its_keys_are(tmp_path: Path) -> None:
    plain, path = config(tmp_path), secret(tmp_path, "hook", "https://example.test/x")
    hooked = config(tmp_path, f'[notify.webhook]\nurl_file = "{path}"\nevents = ["kill"]\n')

    assert compare(plain, hooked).live_keys == compare(hooked, plain).live_keys == ("notify.webhook",)
    assert with_live(plain, hooked).notify == hooked.notify
    assert with_live(hooked, plain).notify == plain.notify


def test_limits_that_belong_together_change_together(tmp_path: Path) -> None:
    """A stall's limit above the old halt's: half of the change would be a configuration that nobody may write."""
    before, after = config(tmp_path), config(tmp_path, live__loop_stall_ms="3000", live__loop_halt_ms="5000")

    held = with_live(before, after)

    assert (held.live.loop_stall_ms, held.live.loop_halt_ms) == (3_000, 5_000)


def test_a_channel_that_goes_takes_its_limit_with_it_at_the_restart(tmp_path: Path) -> None:
    both = CCXT.format(channels='"trades", "bars"', stale='trades = "5s", bars = "9s"')
    before, after = config(tmp_path, both), config(tmp_path, CCXT.format(channels='"trades"', stale='trades = "5s"'))

    held = with_live(before, after)

    assert held.feeds == before.feeds
    assert compare(before, after).live == ()


def test_another_secret_is_named_and_never_shown(tmp_path: Path) -> None:
    path = secret(tmp_path, "hook", f"https://example.test/{CANARY}")
    overlay = f'[notify.webhook]\nurl_file = "{path}"\nevents = ["kill"]\n'
    before = settled(home(tmp_path, overlay))
    secret(tmp_path, "hook", "https://example.test/another")

    after = settled(home(tmp_path, overlay))

    assert changed_secrets(before.secrets, before.secrets) == []
    assert changed_secrets(before.secrets, after.secrets) == ["notify.webhook_url"]


def test_another_number_of_feeds_needs_a_restart(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))

    other = FEED.format(name="b", bars="5s").replace('"A"', '"B"')
    found = compare(before, config(tmp_path, FEED.format(name="a", bars="5s") + other))

    assert [one.key for one in found.restart] == ["feeds"]


@pytest.mark.parametrize(
    "table", ["run", "risk", "campaigns", "detector", "instruments", "paper", "strategies", "account"]
)
def test_nothing_that_decides_is_live(table: str) -> None:
    """A tape has one configuration: what decides may only change with a new one."""
    assert not [name for name, _ in keys(Config) if name.partition(".")[0] == table and is_live(tuple(name.split(".")))]


def test_what_holds_after_a_reload_has_the_live_keys_and_no_others(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))
    after = config(
        tmp_path, FEED.format(name="a", bars="9s"), log__level="debug", live__drain_s="3", risk__heat_limit_bp="950"
    )

    held = with_live(before, after)

    assert (held.log.level, held.live.drain_s, held.feeds[0].stale_after) == ("debug", 3, {"bars": "9s"})
    assert held.risk.heat_limit_bp == 1000
    assert held.hash == before.hash
    assert compare(held, after).live == ()
    assert [one.key for one in compare(held, after).restart] == ["risk.heat_limit_bp"]


def test_a_feed_that_needs_a_restart_does_not_keep_others_from_changing(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))
    after = config(tmp_path, FEED.format(name="b", bars="9s"), log__level="error")

    held = with_live(before, after)

    assert held.feeds == before.feeds
    assert held.log.level == "error"


def test_live_secrets_are_those_that_are_told_and_watched_with() -> None:
    assert set(LIVE_SECRETS) < set(PLAIN_VARIABLES)
    assert set(PLAIN_VARIABLES) - set(LIVE_SECRETS) == {"monitor.token"}
