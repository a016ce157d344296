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
)
from engine.monitor.shapes import AlertView
from engine.monitor.views import ms

INFO, WARNING, CRITICAL = "info", "warning", "critical"

HEAT_LEVELS = {
    HeatState.NORMAL: INFO,
    HeatState.WARNING: WARNING,
    HeatState.CRITICAL: CRITICAL,
    HeatState.EXCEEDED: CRITICAL,
}
COMMAND_LEVELS = {"kill": CRITICAL, "unkill": WARNING, "force-exit": WARNING, "pause": WARNING, "stop": WARNING}


def alert_of(message: Message, feeds: tuple[str, ...] = ()) -> AlertView | None:
    """None for what is no news to a person."""
    match message:
        case FeedStatus(status=status) if status != "LIVE":
            name = feeds[message.feed] if message.feed < len(feeds) else str(message.feed)
            return _alert(message.time_ns, WARNING, "feed_stale", f"feed {name}: {status.lower()}, {message.reason}")
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
        case ConfigChange():
            return _alert(message.time_ns, INFO, "reload", _reloaded(message))
        case _:
            return None


def _reloaded(change: ConfigChange) -> str:
    said = ((change.keys, "took effect"), (change.restart, "needs a restart"))
    return "configuration: " + "; ".join(f"{', '.join(keys)} {what}" for keys, what in said if keys)


def _alert(time_ns: int, level: str, code: str, text: str) -> AlertView:
    return AlertView(time_ms=ms(time_ns), level=level, code=code, text=text)
