"""Which facts a person should be told of at once, and in which words."""

from engine.messages import (
    Command,
    ConfigChange,
    FeedStatus,
    Health,
    HeatChange,
    HeatState,
    Message,
    Rejected,
    SymbolStatus,
)
from engine.monitor.shapes import AlertView
from engine.monitor.views import ms

LIVE = "LIVE"
MINUTES_FROM_S, HOURS_FROM_S = 120, 7_200
INFO, WARNING, CRITICAL = "info", "warning", "critical"

HEAT_LEVELS = {
    HeatState.NORMAL: INFO,
    HeatState.WARNING: WARNING,
    HeatState.CRITICAL: CRITICAL,
    HeatState.EXCEEDED: CRITICAL,
}
COMMAND_LEVELS = {"kill": CRITICAL, "unkill": WARNING, "force-exit": WARNING, "pause": WARNING, "stop": WARNING}


class Alerts:
    """Remembers which feeds it has warned of: only of those it is told that they are live again."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}

    def of(self, message: Message, feeds: tuple[str, ...] = ()) -> AlertView | None:
        """None for what is no news to a person."""
        if not isinstance(message, FeedStatus):
            return _alert_of(message)
        name = feeds[message.feed] if message.feed < len(feeds) else str(message.feed)
        if message.status == LIVE:
            return self._live_again(message, name)
        self._since_ns.setdefault(name, message.time_ns)
        words = (message.status.lower(), message.reason)
        return _alert(message.time_ns, WARNING, "feed_stale", f"feed {name}: {', '.join(filter(None, words))}")

    def _live_again(self, message: FeedStatus, name: str) -> AlertView | None:
        since_ns = self._since_ns.pop(name, None)
        if since_ns is None:
            return None
        words = (f"live again{_after(message.time_ns - since_ns)}", message.reason)
        return _alert(message.time_ns, INFO, "feed_live", f"feed {name}: {', '.join(filter(None, words))}")


def _after(length_ns: int) -> str:
    """Nothing where another clock, that of a replay, has begun in between."""
    seconds = length_ns / 1e9
    if seconds < 0:
        return ""
    if seconds < MINUTES_FROM_S:
        return f" after {seconds:.0f} s"
    return f" after {seconds / 60:.0f} min" if seconds < HOURS_FROM_S else f" after {seconds / 3_600:.1f} h"


def _alert_of(message: Message) -> AlertView | None:
    match message:
        case HeatChange():
            text = f"heat {message.heat_bp / 100:.2f} %: {message.previous.value} > {message.state.value}"
            return _alert(message.time_ns, HEAT_LEVELS[message.state], "heat", text)
        case Rejected():
            text = f"order {message.order_id}: rejected, {message.code} {message.reason}".rstrip()
            return _alert(message.time_ns, CRITICAL, "rejected", text)
        case Command():
            text = " ".join(filter(None, (message.name, message.argument, "by", message.operator)))
            text = f"{text}: {message.reason}" if message.reason else text
            return _alert(message.time_ns, COMMAND_LEVELS.get(message.name, INFO), message.name, text)
        case Health():
            text = f"{message.name}: was {message.value:g}, limit {message.limit:g}"
            return _alert(message.time_ns, WARNING, "health", text)
        case SymbolStatus():
            level, what = (WARNING, "no entries") if message.holds else (INFO, "entries again")
            said = ", ".join(filter(None, (message.cause.lower(), message.reason, what)))
            return _alert(message.time_ns, level, "symbol", f"{message.symbol}: {said}")
        case ConfigChange():
            return _alert(message.time_ns, INFO, "reload", _reloaded(message))
        case _:
            return None


def _reloaded(change: ConfigChange) -> str:
    said = ((change.keys, "took effect"), (change.restart, "needs a restart"))
    return "configuration: " + "; ".join(f"{', '.join(keys)} {what}" for keys, what in said if keys)


def _alert(time_ns: int, level: str, code: str, text: str) -> AlertView:
    return AlertView(time_ms=ms(time_ns), level=level, code=code, text=text)
