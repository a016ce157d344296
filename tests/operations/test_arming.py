"""Live needs signals from several places that agree; any one alone, or one that is wrong, refuses."""

from pathlib import Path

import pytest

from engine.arming import disagreement
from engine.config import Config
from engine.config.examples import live_example
from tests.config.makers import home, settled

FILLED = '[account]\nexpected_account = "PA1"\nmax_order_notional = "500"\n'


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
