"""The files of the page as they leave: compressed once, kept, and told apart by their content.

Browsers ask each time and are told when nothing has changed. A file that is replaced is read again.
"""

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import hdrs, web
from aiohttp.helpers import ETag

TYPES: Final = {
    ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
    ".svg": "image/svg+xml", ".json": "application/json", ".png": "image/png", ".woff2": "font/woff2",
    ".txt": "text/plain", ".map": "application/json",
}  # fmt: skip
"""Anything else is not served."""

PACKED: Final = frozenset((".png", ".woff2"))
MOST_KEPT: Final = 200
MOST_FILE_BYTES: Final = 4_000_000


class _File(NamedTuple):
    stamp: tuple[int, int, int]
    plain: bytes
    packed: bytes
    """Empty where compression gains nothing."""

    digest: str


class PageFiles:
    """Only paths that were checked: what is asked for is read."""

    def __init__(self) -> None:
        self._kept: dict[Path, _File] = {}

    def answer(self, request: web.Request, path: Path) -> web.Response:
        """Raises HTTPNotFound where the file has gone in between."""
        try:
            found = self._file(path)
        except OSError:
            raise web.HTTPNotFound from None
        is_packed = bool(found.packed) and _takes_gzip(request)
        # The same content in two codings is two representations.
        etag = f"{found.digest}-gz" if is_packed else found.digest
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING, hdrs.ETAG: f'"{etag}"'}
        if _is_known(request.if_none_match, etag):
            return web.Response(status=304, headers=headers)
        if is_packed:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = found.packed if is_packed else found.plain
        return web.Response(body=body, headers=headers | {hdrs.CONTENT_TYPE: TYPES[path.suffix]})

    def _file(self, path: Path) -> _File:
        """Raises OSError."""
        about = path.stat()
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        found = self._kept.get(path)
        if found is None or found.stamp != stamp:
            found = _read(path, stamp)
            if len(self._kept) < MOST_KEPT or path in self._kept:
                self._kept[path] = found
        return found


def _read(path: Path, stamp: tuple[int, int, int]) -> _File:
    """Raises OSError."""
    with path.open("rb") as stream:
        plain = stream.read(MOST_FILE_BYTES + 1)
    if len(plain) > MOST_FILE_BYTES:
        raise OSError(f"{path}: must have at most {MOST_FILE_BYTES:,} bytes")
    packed = b"" if path.suffix in PACKED else gzip.compress(plain, mtime=0)
    return _File(stamp, plain, packed if len(packed) < len(plain) else b"", sha256(plain).hexdigest()[:32])


def _is_known(told: tuple[ETag, ...] | None, etag: str) -> bool:
    return any(one.value in ("*", etag) for one in told or ())


def _takes_gzip(request: web.Request) -> bool:
    """`gzip;q=0` says that it does not."""
    for one in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
