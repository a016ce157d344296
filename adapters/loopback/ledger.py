"""What a loopback venue really did: the oracle that tests compare a client's account with."""

from collections import Counter

import msgspec


class Opened(msgspec.Struct):
    """One request for a connection. `status` is 101 where it was granted; times are the venue's."""

    at_ns: int
    status: int
    closed_ns: int = 0
    messages: int = 0
    symbols: int = 0


class Sent(msgspec.Struct, frozen=True):
    """One message with a market row that left, as often as it did. `id` 0 is a bar or a quote."""

    connection: int
    channel: str
    symbol: str
    id: int
    genuine: bool


class Ledger:
    """`sent` is bounded by `most`; `counts` never forgets. `requests` are (venue time, path, status)."""

    def __init__(self, most: int = 2_000_000) -> None:
        self.opened: list[Opened] = []
        self.sent: list[Sent] = []
        self.counts: Counter[str] = Counter()
        self.requests: list[tuple[int, str, int]] = []
        self.troubles: list[tuple[int, str]] = []
        self.subscriptions: list[tuple[int, str]] = []
        self._most = most

    def send(self, sent: Sent) -> None:
        self.counts[sent.channel] += 1
        if len(self.sent) < self._most:
            self.sent.append(sent)

    def ids(self, symbol: str, channel: str) -> set[int]:
        """Of what was sent at least once, undamaged."""
        return {one.id for one in self.sent if one.symbol == symbol and one.channel == channel and one.genuine}

    @property
    def granted(self) -> int:
        return sum(one.status == 101 for one in self.opened)

    def summary(self) -> dict[str, object]:
        """For the control port."""
        return {
            "opened": [msgspec.to_builtins(one) for one in self.opened],
            "sent": dict(self.counts),
            "requests": len(self.requests),
            "troubles": [{"at_ns": at_ns, "trouble": trouble} for at_ns, trouble in self.troubles],
        }
