"""What venues with public streams have in common: no login, subscriptions as JSON, no keys in headers."""

from collections.abc import Iterable, Sequence

import msgspec

from adapters.live.venue import Socket, Wanted


class PublicVenue:
    """`subscriptions` is what a venue adds. `only_latest` says that history has the last `page` trades and no more."""

    name = ""
    consecutive = True
    only_latest = False
    page = 1_000
    ping = ""
    ping_s = 10.0
    most_s = 24 * 3600.0

    def __init__(self, stream_url: str, rest_url: str) -> None:
        self.stream_url = stream_url
        self.rest_url = rest_url

    def headers(self) -> dict[str, str]:
        return {}

    def url(self, wanted: Wanted) -> str:
        return self.stream_url

    def subscriptions(self, wanted: Wanted) -> Iterable[object]:
        raise NotImplementedError

    async def greet(self, socket: Socket, wanted: Wanted) -> None:
        for asked in self.subscriptions(wanted):
            await socket.send_str(msgspec.json.encode(asked).decode())


def parts(names: Sequence[str], most: int) -> Iterable[Sequence[str]]:
    """At most `most` at a time."""
    for start in range(0, len(names), most):
        yield names[start : start + most]
