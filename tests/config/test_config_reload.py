"""A reload: which keys take effect at once, which need a restart, and that nothing else changes."""

from pathlib import Path

import pytest

from engine.config import Config, compare
from engine.config.keys import keys
from engine.config.reload import is_live, with_live
from tests.config.makers import home, settled

FEED = (
    '[[feeds]]\nname = "{name}"\nkind = "simulated"\nsymbols = ["A"]\nseed = 2\nstale_after = {{ bars = "{bars}" }}\n'
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


def test_a_feeds_limit_of_silence_is_live_and_its_name_is_not(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))

    found = compare(before, config(tmp_path, FEED.format(name="b", bars="9s")))

    assert found.live_keys == ("feeds.0.stale_after.bars",)
    assert [one.key for one in found.restart] == ["feeds.0.name"]


def test_another_number_of_feeds_needs_a_restart(tmp_path: Path) -> None:
    before = config(tmp_path, FEED.format(name="a", bars="5s"))

    found = compare(before, config(tmp_path, FEED.format(name="a", bars="5s") + FEED.format(name="b", bars="5s")))

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
