"""Loss halts: what the account may lose in a day, and from its peak, before entries stop.

Two equity watches and one of line time do the looking, and only while something is held: flat, equity
does not move. A day's halt ends with the UTC day, which for US shares lies behind the close; that of a
drawdown ends when an operator resets it. Both outlive a restart.
"""

from collections.abc import Iterable, Iterator
from math import inf
from typing import Final, NamedTuple

import msgspec

from engine.messages import HaltChange, Message, Unwatch, Watch, Watched, WatchKind
from engine.risk.heat import BASIS
from engine.risk.settings import RiskSettings
from engine.risk.units import DIGITS, WIRE_MAX
from engine.timeframes import DAY_NS

OWNER: Final = "risk"
DAILY_LOSS: Final = "DAILY_LOSS"
DRAWDOWN: Final = "DRAWDOWN"
DAY: Final = "DAY"

RESET: Final = "reset-drawdown"
"""The operator's command that lets entries go on after a drawdown, counted from equity as it is then."""

ROUNDING_NS: Final = 1_000_000
"""Line time as a float is right to a microsecond; a day that has just begun is found again at the next row."""

FINEST_RISE_BP: Final = 10
"""A peak has to be this much higher before its watch is moved: a fall is noticed at most this much late."""

_NOWHERE = float("nan")


class Losses(msgspec.Struct):
    """`equity` is that of the last look; equities are whole 1e-8 account units. `stopped` says since
    when, `out` at which level (or time) each watch stands."""

    day: int = -1
    day_start: int = 0
    peak: int = 0
    equity: int = 0
    stopped: dict[str, int] = {}
    out: dict[str, int] = {}


class Quiet(NamedTuple):
    """Where a look says nothing: at an equity above `low` and not above `high`, before `until_ns`."""

    low: float
    high: float
    until_ns: int

    def within(self, low: float, high: float) -> "Quiet":
        return Quiet(max(self.low, low), min(self.high, high), self.until_ns)


class LossHalts:
    def __init__(self, settings: RiskSettings) -> None:
        limits = {DAILY_LOSS: settings.daily_loss_bp, DRAWDOWN: settings.drawdown_bp}
        self._limits = {code: limit for code, limit in limits.items() if code.lower() in settings.rules}
        self.state = Losses()
        self._watched: tuple[int, int, int, int, bool] | None = None

    def load(self, state: Losses) -> None:
        self.state, self._watched = state, None

    def start(self, time_ns: int, equity: int) -> None:
        self.state = Losses(day=time_ns // DAY_NS, day_start=equity, peak=equity, equity=equity)

    def look(self, time_ns: int, equity: int, *, holding: bool) -> list[Message]:
        """What the account's equity at a decision leads to."""
        state = self.state
        said: list[Message] = []
        if time_ns // DAY_NS > state.day:
            said += self._begin_day(time_ns, state.equity)
        state.equity = equity
        state.peak = max(state.peak, equity)
        for code in self._limits:
            if code not in state.stopped and self._is_reached(code, equity):
                said += self._stop(code, time_ns, "looked at")
        return [*said, *self._watch(holding=holding)]

    def quiet(self, *, holding: bool) -> Quiet:
        """Which looks would only take note of the equity they are given: neither a loss, a peak nor a new day."""
        state, until_ns = self.state, (self.state.day + 1) * DAY_NS
        wanted = self._wanted(holding=holding)
        if wanted.keys() != state.out.keys() or any(self._differs(name, level) for name, level in wanted.items()):
            return Quiet(inf, -inf, until_ns)
        running = [code for code in self._limits if code not in state.stopped and self.reference(code) > 0]
        return Quiet(max(map(self._level, running), default=-inf), state.peak, until_ns)

    def fired(self, watched: Watched, equity: int, *, holding: bool) -> list[Message]:
        """A watch of ours has fired: what it was set for holds, whatever rounding says of it."""
        name, time_ns = watched.watch_id.rpartition("/")[2], watched.time_ns
        if self.state.out.pop(name, None) is None:
            return []
        said: list[Message] = []
        if name == DAY:
            # Before the rows of the new day: equity now is what the old one ended with. Line time may
            # have passed several days at once.
            self.state.equity = equity
            said += self._begin_day(time_ns, equity)
            self.state.day = max(self.state.day, int(watched.price - ROUNDING_NS) // DAY_NS)
        elif name in self._limits and name not in self.state.stopped:
            self.state.equity = equity
            said += self._stop(name, time_ns, "equity watch")
        return [*said, *self.look(time_ns, equity, holding=holding)]

    def reset(self, time_ns: int, equity: int, operator: str, *, holding: bool) -> list[Message]:
        self.state.peak = equity
        said = list(self._release(DRAWDOWN, time_ns, f"reset by {operator}"))
        return [*said, *self.look(time_ns, equity, holding=holding)]

    def loss_bp(self, code: str, equity: int) -> int:
        """How far below its reference equity lies, rounded up; 0 without one."""
        reference = self.reference(code)
        return min(max(0, -(-(reference - equity) * BASIS // reference)), WIRE_MAX) if reference > 0 else 0

    def reference(self, code: str) -> int:
        return self.state.day_start if code == DAILY_LOSS else self.state.peak

    def _is_reached(self, code: str, equity: int) -> bool:
        return has_lost(self.reference(code), equity, self._limits[code])

    def _begin_day(self, time_ns: int, equity: int) -> Iterator[Message]:
        self.state.day, self.state.day_start = time_ns // DAY_NS, equity
        yield from self._release(DAILY_LOSS, time_ns, "a new day")

    def _stop(self, code: str, time_ns: int, cause: str) -> Iterator[Message]:
        self.state.stopped[code] = time_ns
        yield self._told(code, time_ns, cause)

    def _release(self, code: str, time_ns: int, cause: str) -> Iterator[Message]:
        if self.state.stopped.pop(code, None) is not None:
            yield self._told(code, time_ns, cause)

    def _told(self, code: str, time_ns: int, cause: str) -> HaltChange:
        equity = self.state.equity
        return HaltChange(
            time_ns=time_ns,
            code=code,
            halted=code in self.state.stopped,
            loss_bp=self.loss_bp(code, equity),
            limit_bp=self._limits[code],
            equity=equity,
            reference=self.reference(code),
            cause=cause,
        )

    # ---------------------------------------------------------------------------- watches

    def _watch(self, *, holding: bool) -> Iterable[Message]:
        """Watches that are to be set or taken back; most looks change none."""
        state = self.state
        seen = (state.day, state.day_start, state.peak, len(state.stopped), holding)
        if seen == self._watched and len(state.out) == self._standing(holding=holding):
            return ()
        self._watched = seen
        return self._moved(holding=holding)

    def _standing(self, *, holding: bool) -> int:
        """How many watches should be out."""
        stopped = self.state.stopped
        running = sum(1 for code in self._limits if code not in stopped) if holding else 0
        return running + bool(self._limits and (holding or DAILY_LOSS in stopped))

    def _moved(self, *, holding: bool) -> Iterator[Message]:
        state, wanted = self.state, self._wanted(holding=holding)
        for name in [name for name in state.out if name not in wanted]:
            del state.out[name]
            yield Unwatch(_named(name))
        for name, level in wanted.items():
            if self._differs(name, level):
                state.out[name] = level
                yield _watch(name, level)

    def _wanted(self, *, holding: bool) -> dict[str, int]:
        """Which watches should be out, and at which level or time."""
        state = self.state
        wanted: dict[str, int] = {}
        if self._limits and (holding or DAILY_LOSS in state.stopped):
            wanted[DAY] = (state.day + 1) * DAY_NS
        if holding:
            wanted |= {code: self._level(code) for code in self._limits if code not in state.stopped}
        return wanted

    def _level(self, code: str) -> int:
        """The highest equity at which so much has been lost."""
        return self.reference(code) * (BASIS - self._limits[code]) // BASIS

    def _differs(self, name: str, level: int) -> bool:
        """A level that hardly rose stays where it is: moving a watch at every new peak would be most of the work."""
        now = self.state.out.get(name)
        if now is None or name != DRAWDOWN:
            return now != level
        return not now <= level < now + now * FINEST_RISE_BP // BASIS


def has_lost(reference: int, equity: int, limit_bp: int) -> bool:
    """Whether equity lies `limit_bp` of the reference, or more, below it. False while there is no reference."""
    return reference > 0 and (reference - equity) * BASIS >= reference * limit_bp


def _named(name: str) -> str:
    return f"{OWNER}/watch/{name}"


def _watch(name: str, level: int) -> Watch:
    if name == DAY:
        return Watch(_named(name), OWNER, WatchKind.LINE_TIME, "", "", _NOWHERE, level, 0)
    return Watch(_named(name), OWNER, WatchKind.EQUITY_BELOW, "", "", level / 10**DIGITS, 0, 0)
