"""The configurations that are written for people: for paper on a generated market, for live.

Every number that can lose money is taken from the shipped replay configuration: recommended numbers
have one home.
"""

from copy import deepcopy
from typing import Any, Final

from engine.config.merge import read_layer
from engine.config.written import written

HEAD: Final = (
    "Configuration of the engine. `wyckoff config check` says what is wrong with it, `wyckoff config show --origin`",
    "what holds and where it comes from. Variables override it: WYCKOFF_RISK__HEAT_LIMIT_BP=900. Secrets do not",
    "stand here: put them into secrets/ (mode 0600) or into WYCKOFF_GROUP__SECRET_KEY.",
    "A line that begins with # and a key shows what holds when nothing is set.",
)

LIVE_HEAD: Final = (
    "An example for real orders. It is refused as it stands: what only you can know is left out, and has to be",
    "filled in: account.expected_account, account.max_order_notional, the symbols. Live also needs --live.",
    "",
    *HEAD,
)

SIMULATED: Final[dict[str, Any]] = {
    "name": "simulated",
    "kind": "simulated",
    "symbols": ["ACME", "BOLT", "CRUX"],
    "seed": 1,
    "timeframe": "1m",
    "speed": 60.0,
    "history_bars": 600,
    "stale_after": {"bars": "15s"},
    "lateness_ms": 0,
}

ALPACA: Final[dict[str, Any]] = {
    "name": "alpaca-iex",
    "kind": "alpaca",
    "source": "iex",
    "symbols": ["AAPL", "SPY"],
    "channels": ["trades", "bars"],
    "credentials": "alpaca",
    "stale_after": {"trades": "15s", "bars": "150s", "daily": "off"},
}

DAILY_LOSS: Final[dict[str, Any]] = {"kind": "daily_loss", "limit_bp": 300, "then": "entries"}

LIVE_STOCKS: Final = {"calendar": "XNYS", "hours": "regular"}


def paper_example() -> str:
    tables = _recommended()
    tables["run"] |= {"mode": "paper", "on_start": "resume"}
    tables |= {
        "account": {"broker": "paper"}, "feeds": [SIMULATED], "protections": [DAILY_LOSS],
        "monitor": {"listen": "127.0.0.1:8787", "token_file": "{config}/secrets/monitor_token"},
    }  # fmt: skip
    return written(tables, HEAD)


def live_example() -> str:
    tables = _recommended()
    tables["run"] |= {"mode": "live", "on_start": "paused"}
    tables["instruments"]["default"] |= LIVE_STOCKS
    tables |= {
        "account": {"broker": "alpaca", "credentials": "orders"}, "feeds": [ALPACA], "protections": [DAILY_LOSS],
        "monitor": {"listen": "127.0.0.1:8787", "token_file": "{config}/secrets/monitor_token"},
    }  # fmt: skip
    return written(tables, LIVE_HEAD)


def _recommended() -> dict[str, Any]:
    from engine.config import shipped

    return deepcopy(dict(read_layer(shipped("replay")).tables))
