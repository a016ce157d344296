"""The doctor's look at the machine: clocks, time zones, disk, memory, open files."""

import ctypes
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.doctor_finding import Finding, bad, good, note
from engine.iso import iso

SAMPLE_S: Final = 0.05
MOST_DRIFT_NS: Final = 5_000_000
"""Of wall against monotonic clock within the sample: a clock that is being set, or a broken one."""

EARLIEST_NS: Final = 1_735_689_600_000_000_000
"""2025-01-01: a clock before it was never set."""

LEAST_FILES: Final = 256
GOOD_FILES: Final = 1_024

ZONES: Final = ("America/New_York", "America/Chicago", "Europe/London")
"""Of the exchanges' sessions."""

TIME_ERROR: Final = 5
"""What adjtimex answers while nobody keeps the clock."""

_TIMEX_BYTES: Final = 256
_MAXERROR_OFFSET: Final = 24


def clock(
    wall_ns: Callable[[], int] = time.time_ns,  # noqa: TID251 - the clock is what is examined
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    wait: Callable[[float], None] = time.sleep,  # noqa: TID251 - the clock is what is examined
) -> Finding:
    """The two clocks advance alike, and the wall clock has been set."""
    before = wall_ns(), monotonic_ns()
    wait(SAMPLE_S)
    now_ns = wall_ns()
    drift_ns = (now_ns - before[0]) - (monotonic_ns() - before[1])
    if now_ns < EARLIEST_NS:
        return bad("clock", f"says {iso(now_ns)}", "set the clock: timedatectl set-ntp true")
    if abs(drift_ns) > MOST_DRIFT_NS:
        said = f"{drift_ns / 1e6:+.1f} ms against the monotonic clock within {SAMPLE_S * 1000:.0f} ms"
        return bad("clock", said, "let NTP slew the clock instead of stepping it")
    return good("clock", f"{iso(now_ns // 1_000_000_000 * 1_000_000_000)}, steady")


def synchronised(state: Callable[[], tuple[int, int]] | None = None) -> Finding:
    """Whether the kernel believes that somebody keeps its clock; asks no network."""
    try:
        answer, error_us = (state or _adjtimex)()
    except (OSError, AttributeError) as error:
        return note("ntp", f"cannot be asked: {error}")
    if answer == TIME_ERROR or answer < 0:
        return note("ntp", "nobody keeps this clock (in a container the host may)", "timedatectl set-ntp true")
    return good("ntp", f"kept, error at most {error_us / 1000:.0f} ms")


def zones() -> Finding:
    missing = []
    for name in ZONES:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            missing.append(name)
    if missing:
        return bad("time zones", f"missing: {', '.join(missing)}", "install the system's tzdata")
    return good("time zones", ", ".join(ZONES))


def open_files(limits: Callable[[], tuple[int, int]] | None = None) -> Finding:
    soft, hard = (limits or (lambda: resource.getrlimit(resource.RLIMIT_NOFILE)))()
    said = f"limit {'none' if soft == resource.RLIM_INFINITY else soft}"
    if soft == resource.RLIM_INFINITY or soft >= GOOD_FILES:
        return good("open files", said)
    hint = f"ulimit -n {min(GOOD_FILES, hard) if hard != resource.RLIM_INFINITY else GOOD_FILES}"
    return bad("open files", said, hint) if soft < LEAST_FILES else note("open files", said, hint)


def disk(directory: Path, least_mb: int) -> Finding:
    """Free space where the state lies, or would."""
    place = next(one for one in (directory, *directory.parents) if one.exists())
    free_mb = shutil.disk_usage(place).free // 1_000_000
    said = f"{free_mb:,} MB free at {place}"
    if free_mb < least_mb:
        return bad("disk", said, f"free at least {least_mb} MB: entries are refused below it")
    if free_mb < 10 * least_mb:
        return note("disk", said, "a tape may grow by several GB a day")
    return good("disk", said)


def memory(limit_mb: int, file: Path = Path("/proc/meminfo")) -> Finding:
    try:
        lines = dict(line.split(":", 1) for line in file.read_text(encoding="ascii").splitlines() if ":" in line)
        total_mb = int(lines["MemTotal"].split()[0]) * 1024 // 1_000_000
    except (OSError, KeyError, ValueError):
        return note("memory", "cannot be read")
    if limit_mb > total_mb:
        return note("memory", f"{total_mb:,} MB, less than live.rss_limit_mb = {limit_mb}", "lower live.rss_limit_mb")
    return good("memory", f"{total_mb:,} MB")


def _adjtimex() -> tuple[int, int]:
    """What the kernel answers, and its bound of the error in microseconds."""
    data = ctypes.create_string_buffer(_TIMEX_BYTES)
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(data)
    error_us = int.from_bytes(data.raw[_MAXERROR_OFFSET : _MAXERROR_OFFSET + 8], "little", signed=True)
    return answer, error_us
