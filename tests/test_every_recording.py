"""Every file of the shared data folder opens and gives what `recordings.toml` says, whatever the chunks.

The table holds numbers and digests only. `python -m tests.test_every_recording` writes it again from
the files; the difference shows what a change of the readers did to real data.
"""

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from time import perf_counter
from typing import Any

import pytest

from adapters.feed_errors import FeedError
from tests.recordings import (
    DIFFERENCES,
    KNOWN,
    LARGE_CHUNK,
    NOT_FEEDS,
    REFUSED,
    SHARED,
    SMALL_CHUNK,
    TABLE,
    differences,
    explained,
    lines_of,
    listed,
    measure,
    opened,
    present,
    read,
    readings,
    reason_against,
    withheld,
)

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")

HOURLY = "crypto-bars/cryptodatadownload/Binance_BTCUSDT_1h.csv.gz"
HEAD = """# What every file of the shared data folder gives: numbers and digests, no data.
# Written by `python -m tests.test_every_recording`.

"""


def entry_of(name: str) -> dict[str, Any]:
    """Read now, in both chunkings, or why it cannot be."""
    try:
        feed = opened(name)
    except FeedError as error:
        return {"refused": type(error).__name__}
    found = measure(read(name, LARGE_CHUNK, feed=feed))
    assert measure(read(name, SMALL_CHUNK, feed=feed)) == found, f"{name}: chunks of {SMALL_CHUNK} show"
    return found


# ------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("name", list(KNOWN))
def test_a_file_gives_what_it_gave(name: str) -> None:
    assert entry_of(name) == KNOWN[name]


@pytest.mark.parametrize("name", list(KNOWN))
def test_every_row_is_accounted_for(name: str) -> None:
    entry = KNOWN[name]

    assert "refused" in entry or entry["rows"] == entry["out"] + withheld(entry.get("counts", {}))


def test_every_file_is_in_the_table_or_no_feed() -> None:
    assert list(KNOWN) == readings()
    assert {name for name in KNOWN if "refused" in KNOWN[name]} == set(REFUSED)
    assert set(listed()) <= set(KNOWN)
    assert all(any(fnmatchcase(name, pattern) for name in present()) for pattern in NOT_FEEDS)
    assert not any(reason_against(name) for name in listed())


def test_a_new_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = present()
    monkeypatch.setattr("tests.recordings.present", lambda: [*names, "fx/new.csv.gz"])

    assert "fx/new.csv.gz" in readings()
    assert "fx/new.csv.gz" not in KNOWN


@pytest.mark.parametrize("name", [name for name in listed() if "refused" not in KNOWN.get(name, {"refused": ""})])
def test_the_folder_s_own_list_agrees_or_it_is_known_why(name: str) -> None:
    found = differences(name, KNOWN[name], listed()[name])

    assert {column for column in found if not explained(name, column)} == set()


def test_every_explanation_is_needed() -> None:
    rows = listed()
    found = {
        (name, column)
        for name in rows
        if "rows" in KNOWN[name]
        for column in differences(name, KNOWN[name], rows[name])
    }

    unneeded = [
        (pattern, column)
        for pattern, column in DIFFERENCES
        if not any(of == column and fnmatchcase(name, pattern) for name, of in found)
    ]
    assert unneeded == []


def test_a_wrong_number_is_noticed() -> None:
    entry = {**KNOWN[HOURLY], "no_volume": 116, "first": "2017-08-18T04:00:00.000000000"}

    found = differences(HOURLY, entry, listed()[HOURLY])

    assert set(found) == {"first", "zero_vol"}


# ------------------------------------------------------------------- writing the table again


def _entries() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in readings():
        begins = perf_counter()
        entry = entry_of(name)
        print(f"{perf_counter() - begins:6.2f} s  {name}", file=sys.stderr)
        yield name, entry


def main() -> None:
    if not SHARED.is_dir():
        sys.exit(f"no real data at {SHARED}")
    TABLE.write_text(HEAD + "\n".join(lines_of(dict(_entries()))))


if __name__ == "__main__":
    main()
