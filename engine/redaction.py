"""Takes secrets out of text before it is written: by their values in every usual disguise, by the
names they stand under, and by the shape of signed requests.

Values are the ones that were loaded. Names and shapes catch what was never loaded here, such as the
token in an address that a library prints.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from itertools import chain
from json import dumps
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "<redacted>"

LEAST_CHARACTERS: Final = 6
"""Shorter values are words: to hide them would make every line unreadable."""

MOST_DEPTH: Final = 6

MOST_INTEGER: Final = 2**63
"""What JSON's readers hold; larger ones are written as text."""

MOST_QUOTINGS: Final = 3
"""JSON within JSON within a literal: each writes the backslashes of the one before twice."""

_WORDS = (
    r"api[-_]?key|api[-_]?secret|secret[-_]?key|secret|passphrase|password|passwd|access[-_]?token|token|signature|"
    r"listen[-_]?key|authorization|cookie|set-cookie|x-[a-z0-9-]*(?:api-?key|sign|passphrase|token)|"
    r"(?:apca|ok-access|kc-api|cb-access|x-mbx|x-bapi|api)-[a-z0-9-]*(?:key|sign|secret|passphrase)[a-z0-9-]*"
)
_NAME = re.compile(rf"(?:.*[-_.])?(?:{_WORDS}|key[-_]id)$", re.IGNORECASE)

_PAIR = re.compile(
    rf"""(?P<name>(?<![a-z0-9])(?:[a-z0-9_-]{{0,40}}[-_])?(?:{_WORDS}))
         (?P<sign>\\*["']?\s*[=:]\s*\\*["']?)
         (?P<value>(?:(?:bearer|basic|digest)\s+)?[^\s"'&,;\\)}}\]>]+)""",
    re.IGNORECASE | re.VERBOSE,
)
"""`name=value`, `name: value`, `"name": "value"`, also within JSON within JSON."""

_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_HOOK = re.compile(r"(https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|hc-ping\.com)/)[^\s\"']+")


class Redactor:
    """Immutable: `values` are the secrets that were loaded."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._plain = tuple(one for one in values if len(one) >= LEAST_CHARACTERS)
        disguised = chain.from_iterable(disguises(one) for one in self._plain)
        # The longest first: a disguise may hold a shorter one.
        known = sorted(dict.fromkeys(disguised), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, known))) if known else None

    def with_values(self, values: Iterable[str]) -> "Redactor":
        """One that hides these as well."""
        return Redactor(dict.fromkeys((*self._plain, *values)))

    def text(self, text: str) -> str:
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        text = _USERINFO.sub(HIDDEN, text)
        text = _HOOK.sub(rf"\1{HIDDEN}", text)
        text = _PAIR.sub(_hidden, text)
        return _BEARER.sub(rf"\1 {HIDDEN}", text)

    def keys(self, event: Mapping[str, object], depth: int = 0) -> dict[str, object]:
        """Plain values, those under the name of a secret hidden."""
        found = {_writable(_plain(name)): one for name, one in event.items()}
        return {name: HIDDEN if names_secret(name) else self._value(one, depth) for name, one in found.items()}

    def _value(self, value: object, depth: int) -> object:
        if depth >= MOST_DEPTH:
            return "..."
        if isinstance(value, Mapping):
            return self.keys(value, depth + 1)
        if isinstance(value, list | tuple):
            return [self._value(one, depth + 1) for one in value]
        if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < MOST_INTEGER):
            return value
        return self.text(value.decode("utf-8", "replace") if isinstance(value, bytes) else _writable(_plain(value)))


def names_secret(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def disguises(value: str) -> list[str]:
    """The value as it may stand in an address, in JSON, in a Python literal, in base 64 at any offset."""
    data = value.encode()
    found = [value, quote(value, safe=""), quote_plus(value), quote(value)]
    written = [value]
    for _ in range(MOST_QUOTINGS):
        written = [within for one in written for within in (dumps(one)[1:-1], repr(one)[1:-1])]
        found += written
    found += [data.hex(), data.hex().upper()]
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"\0" * offset + data).decode().rstrip("=")
            # Characters at the ends also depend on what stands beside the value.
            core = text[(0, 2, 3)[offset] : len(text) - (1 if (offset + len(data)) % 3 else 0)]
            if len(core) >= LEAST_CHARACTERS:
                found.append(core)
    return found


def _hidden(found: "re.Match[str]") -> str:
    value = found["value"]
    if value.startswith(HIDDEN.rstrip(">")) or value.lower() in ("none", "null", "true", "false", "unset", "set", '""'):
        return found[0]
    return f"{found['name']}{found['sign']}{HIDDEN}"


def _plain(value: object) -> str:
    """A value that cannot say what it is must not end the line that mentions it."""
    try:
        return str(value)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _writable(text: str) -> str:
    """A lone surrogate, from a file's name, is no text that can be written."""
    return text.encode("utf-8", "replace").decode()
