"""Logs for people: structlog and the standard library's loggers into one bounded queue and one writer.

Whoever logs only appends: a thread redacts, renders and writes. A place in the code that repeats
itself is cut to some lines a second with a count of what was left out; a queue that is full loses its
oldest lines, counted. Everything passes the redaction, also what libraries say.
"""

import asyncio
import io
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog

from engine.config.credentials import Secret
from engine.config.daemon_tables import LogSettings
from engine.iso import iso
from engine.log_files import CappedFile
from engine.redaction import Redactor

LOG_NAME: Final = "wyckoff.jsonl"
REMEMBERED: Final = 2_000
"""Lines that `logs` can show again."""

FOLLOWER_LINES: Final = 1_000
BURST: Final = 10
"""Lines of one place in the code that pass at once before its rate holds."""

MOST_SITES: Final = 5_000
MOST_LINE_CHARACTERS: Final = 16_384
FLUSH_S: Final = 0.2
CLOSE_S: Final = 3.0

LIBRARIES: Final = ("ccxt", "aiohttp", "websockets", "urllib3", "alpaca", "asyncio", "numba", "aiosqlite")
"""Never below INFO: their debugging prints keys and signed addresses."""


class LogBook(logging.Handler):
    """The one handler of the root logger. `dropped` counts lines lost to a full queue, `suppressed` those
    left out of a repetition."""

    def __init__(
        self,
        settings: LogSettings,
        redactor: Redactor,
        file: CappedFile | None,
        stream: TextIO | None,
        *,
        clock_ns: Callable[[], int] = time.time_ns,  # noqa: TID251 - a log is for people
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__()
        self._settings = settings
        self.redactor = redactor
        self._file = file
        self._stream = stream
        self._console = _console(settings, stream)
        self._clock_ns = clock_ns
        self._sites = Sites(settings.lines_per_site_per_s, monotonic_ns)
        self._queue: deque[dict[str, object]] = deque()
        self._remembered: deque[str] = deque(maxlen=REMEMBERED)
        self._followers: list[Callable[[str], None]] = []
        self._arrived = threading.Event()
        self._closing = False
        self._flushing = threading.Lock()
        self._writer = threading.Thread(target=self._write_all, name="log", daemon=True)
        self.dropped = 0
        self.suppressed = 0
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by any thread, with the handler's own lock held."""
        allowed, left_out = self._sites.allow((record.pathname, record.lineno))
        if not allowed:
            self.suppressed += 1
            return
        line = self._line(record)
        if left_out:
            line["suppressed"] = left_out
        if len(self._queue) >= self._settings.queue_lines:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(line)
        self._arrived.set()

    def change(self, settings: LogSettings, secrets: Iterable[Secret] = ()) -> None:
        """What a reload may change: the level and the rate. Secrets that are new are kept out of lines as well."""
        self._settings = settings
        self.redactor = self.redactor.with_values(one.reveal() for one in secrets)
        self._sites.per_s = settings.lines_per_site_per_s
        _set_levels(settings)

    def last(self, count: int) -> list[str]:
        lines = list(self._remembered)
        return lines[-count:] if count else []

    async def follow(self) -> AsyncIterator[str]:
        """Lines as they are written; a reader that is slow loses the oldest."""
        loop = asyncio.get_running_loop()
        waiting: deque[str] = deque(maxlen=FOLLOWER_LINES)
        arrived = asyncio.Event()

        def tell(line: str) -> None:
            waiting.append(line)
            with suppress(RuntimeError):  # the loop may end before its followers
                loop.call_soon_threadsafe(arrived.set)

        self._followers.append(tell)
        try:
            while True:
                await arrived.wait()
                arrived.clear()
                while waiting:
                    yield waiting.popleft()
        finally:
            self._followers.remove(tell)

    def drain(self) -> None:
        """Write what waits, unless the writer is stuck for `CLOSE_S`: before the process is left in a hurry."""
        if self._flushing.acquire(timeout=CLOSE_S):
            try:
                self._flush()
            finally:
                self._flushing.release()

    def close(self) -> None:
        """Write what waits, for at most `CLOSE_S`."""
        if not self._closing:
            self._closing = True
            self._arrived.set()
            self._writer.join(CLOSE_S)
            if self._file is not None:
                self._file.close()
        super().close()

    def _line(self, record: logging.LogRecord) -> dict[str, object]:
        keys = getattr(record, "wyckoff_keys", {})
        line: dict[str, object] = {
            "time": iso(self._clock_ns() // 1_000_000 * 1_000_000),
            "level": record.levelname.lower(),
            "event": _message(record),
            **keys,
        }
        if record.name not in ("root", "wyckoff"):
            line["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info, limit=-30))
        if record.stack_info:
            line["stack"] = record.stack_info
        return line

    def _write_all(self) -> None:
        while not self._closing or self._queue:
            self._arrived.wait(FLUSH_S)
            self._arrived.clear()
            with self._flushing:
                self._flush()

    def _flush(self) -> None:
        texts, shown = [], []
        while self._queue:
            try:
                line = self.redactor.keys(self._queue.popleft())
            except IndexError:
                break
            text = self.redactor.text(_json(line))[:MOST_LINE_CHARACTERS]
            self._remembered.append(text)
            texts.append(text)
            shown.append(self.redactor.text(self._console(line)) if self._console else text)
            for tell in tuple(self._followers):
                tell(text)
        if self._file is not None:
            self._file.write([f"{text}\n".encode("utf-8", "replace") for text in texts])
        if self._stream is not None and shown:
            with suppress(OSError, ValueError):
                self._stream.write("".join(f"{text}\n" for text in shown))
                self._stream.flush()


class Sites:
    """How often each place in the code has spoken. `per_s` may be changed."""

    def __init__(self, per_s: float, monotonic_ns: Callable[[], int]) -> None:
        self.per_s = per_s
        self._monotonic_ns = monotonic_ns
        self._sites: dict[tuple[str, int], list[float]] = {}

    def allow(self, site: tuple[str, int]) -> tuple[bool, int]:
        """Whether it may speak now, and how many of its lines were left out since it last did."""
        now_s = self._monotonic_ns() / 1e9
        if site not in self._sites and len(self._sites) >= MOST_SITES:
            self._sites.clear()
        state = self._sites.setdefault(site, [float(BURST), now_s, 0.0])
        state[0] = min(float(BURST), state[0] + (now_s - state[1]) * self.per_s)
        state[1] = now_s
        if state[0] < 1:
            state[2] += 1
            return False, 0
        left_out, state[2] = int(state[2]), 0.0
        state[0] -= 1
        return True, left_out


@contextmanager
def logging_to(
    settings: LogSettings, directory: Path, secrets: Iterable[Secret] = (), stream: TextIO | None = None
) -> Iterator[LogBook]:
    """Everything that is logged inside goes into the book; afterwards logging is as it was."""
    redactor = Redactor(one.reveal() for one in secrets)
    file = None
    if settings.to_file:
        file = CappedFile(directory / LOG_NAME, most_bytes=settings.file_mb * 1_000_000, keep=settings.keep_files)
    book = LogBook(settings, redactor, file, sys.stderr if stream is None else stream)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [book]
    _set_levels(settings)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        with _uncaught(book):
            yield book
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
        book.close()


@contextmanager
def _uncaught(book: LogBook) -> Iterator[None]:
    """A traceback nobody caught may hold a secret in its text: it is redacted as well."""
    hooks = sys.excepthook, threading.excepthook

    def told(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
        book.drain()
        out = io.StringIO()
        traceback.print_exception(kind, error, trace, file=out)
        sys.stderr.write(book.redactor.text(out.getvalue()))

    sys.excepthook = told
    threading.excepthook = lambda failed: told(failed.exc_type, failed.exc_value, failed.exc_traceback)
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks


def _to_record(_: Any, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """structlog's last step: what the standard logger is called with."""
    message = event.pop("event", "")
    known = {name: event.pop(name) for name in ("exc_info", "stack_info") if name in event}
    return (str(message).replace("%", "%%"),), {**known, "extra": {"wyckoff_keys": dict(event)}}


def _message(record: logging.LogRecord) -> str:
    """A library's message whose arguments do not fit it is still a message."""
    try:
        return record.getMessage() if record.args else str(record.msg).replace("%%", "%")
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _set_levels(settings: LogSettings) -> None:
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    logging.getLogger().setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.INFO))


def _console(settings: LogSettings, stream: TextIO | None) -> Callable[[Mapping[str, object]], str] | None:
    is_terminal = stream is not None and stream.isatty()
    if settings.format == "json" or (settings.format == "auto" and not is_terminal):
        return None
    render = structlog.dev.ConsoleRenderer(colors=is_terminal, pad_event_to=24)

    def shown(line: Mapping[str, object]) -> str:
        safe = {name: _printable(value) for name, value in line.items()}
        safe["timestamp"] = str(safe.pop("time", ""))[11:23]
        return str(render(None, "", safe))

    return shown


def _printable(value: object) -> object:
    """Without control characters: a stranger's text must not drive the terminal."""
    if not isinstance(value, str):
        return value
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in value)


def _json(line: Mapping[str, object]) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()
