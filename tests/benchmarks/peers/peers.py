"""Who is compared, on which Python, and by which rules each matches."""

from dataclasses import dataclass

from tests.benchmarks.peers.environments import Environment
from tests.benchmarks.peers.strategy import OURS, Rules

EVERY = ("trades", "bars", "busy")
BARS = ("bars", "busy")

CLOSE_AND_LEVEL = Rules(entry="last", gap="stop")
ASK_AND_LEVEL = Rules(entry="ask", gap="stop")
DECIDING_CLOSE = Rules(entry="last")
SELLERS = Rules(entry="last", trigger="seller")
LATER_START = Rules(skips_first=True)
LATE_STOP = Rules(protects_entry_bar=False)


@dataclass(frozen=True)
class Peer:
    """`environment` None is this project's own. `empty`: also run without a strategy."""

    name: str
    module: str
    environment: Environment | None
    kinds: tuple[str, ...]
    on_bars: Rules = OURS
    on_trades: Rules = OURS
    empty: bool = False

    def rules(self, kind: str) -> Rules:
        return self.on_trades if kind == "trades" else self.on_bars


WE = Peer("this engine", "run_ours", None, EVERY, empty=True)


def _nautilus(name: str, python: str, rules: tuple[Rules, Rules], module: str = "run_nautilus") -> Peer:
    return Peer("NautilusTrader", module, Environment(name, python), EVERY, *rules, empty=True)


PEERS = (
    WE,
    _nautilus("nautilus-1.221", "3.11", (CLOSE_AND_LEVEL, ASK_AND_LEVEL)),
    _nautilus("nautilus-1.231", "3.13", (DECIDING_CLOSE, SELLERS)),
    _nautilus("nautilus-2.0rc7", "3.13", (DECIDING_CLOSE, SELLERS), "run_nautilus_2"),
    Peer("Basana", "run_basana", Environment("basana", "3.11"), BARS, on_bars=LATE_STOP),
    Peer("backtesting.py", "run_backtesting", Environment("backtesting", "3.11"), BARS, on_bars=LATER_START),
)
