"""`doctor`: what would keep an engine from running well on this machine, and how to mend it.

A check looks and says; none changes anything. `bad` is what has to be mended before a start, `note`
what is worth knowing. One check that cannot be made does not end the others.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from engine import doctor_host, doctor_install, exits
from engine.config import Config, ConfigError, Settled, settle
from engine.config_command import check_modules
from engine.control.server import answers
from engine.doctor_finding import Finding, bad, good
from engine.exits import emit
from engine.locks import holder_of
from engine.paths import MODES, Paths, find_engine
from engine.text_table import columns

FREE_DISK_MB: Final = 256
"""Where no configuration says."""


class DoctorReport(msgspec.Struct, frozen=True):
    """What `doctor --json` prints."""

    ok: bool
    findings: list[Finding]


def run_doctor(home: Path | None, files: Sequence[Path], sets: Sequence[str], *, online: bool, as_json: bool) -> None:
    paths = find_engine(home, os.environ, Path.cwd())
    findings = list(examined(paths, files, sets, online=online))
    report = DoctorReport(all(one.state != "bad" for one in findings), findings)
    emit(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() if as_json else report_text(report))
    if not report.ok:
        raise SystemExit(exits.FOUND)


def examined(paths: Paths, files: Sequence[Path], sets: Sequence[str], *, online: bool) -> Iterator[Finding]:
    yield from doctor_install.installation()
    yield doctor_host.clock()
    yield doctor_host.synchronised()
    yield doctor_host.zones()
    yield doctor_host.open_files()
    found, problem = configuration(paths, files, sets)
    yield problem
    config = found.config if found else None
    yield doctor_host.disk(paths.state, config.live.free_disk_mb if config else FREE_DISK_MB)
    yield doctor_host.memory(config.live.rss_limit_mb if config else 0)
    yield from permissions(paths)
    yield running(paths)
    if online and config is not None:
        yield from online_checks(config)


def configuration(paths: Paths, files: Sequence[Path], sets: Sequence[str]) -> tuple[Settled | None, Finding]:
    named = ", ".join(map(str, files or [paths.config_file]))
    if not files and not paths.config_file.exists():
        return None, bad("configuration", f"{named} is not there", "wyckoff init")
    try:
        found = settle(files, paths, os.environ, sets)
        check_modules(found.config, found.layers)
    except ConfigError as error:
        return None, bad("configuration", f"{len(error.problems)} mistakes in {named}", "wyckoff config check")
    return found, good("configuration", f"{named}: mode {found.config.run.mode}")


def permissions(paths: Paths) -> Iterator[Finding]:
    """Who else could read secrets, write state or reach the socket."""
    looked: list[tuple[Path, int]] = [(paths.secrets, 0o077), (paths.state, 0o022), (paths.runtime, 0o077)]
    if paths.secrets.is_dir() and os.access(paths.secrets, os.R_OK):
        looked += [(path, 0o077) for path in sorted(paths.secrets.iterdir())]
    looked += [(paths.state_of(mode), 0o022) for mode in MODES] + [(paths.socket, 0o077)]
    findings = [one for path, mask in looked if (one := _open_to_others(path, mask))]
    yield from findings or [good("permissions", f"nothing below {paths.config} is open to others")]


def running(paths: Paths) -> Finding:
    held = [(name, holder) for name, place in paths.holdable.items() if (holder := holder_of(place))]
    answering = answers(paths.socket)
    if held and not answering:
        mode, holder = held[0]
        return bad("engine", f"pid {holder.pid} holds {mode}, but does not answer", f"kill {holder.pid}")
    if held:
        return good("engine", ", ".join(f"{mode} runs as pid {holder.pid}" for mode, holder in held))
    return good("engine", "none is running")


def online_checks(config: Config) -> Iterator[Finding]:
    from engine import doctor_online

    yield from doctor_online.reachable(config)


def report_text(report: DoctorReport) -> str:
    mark: dict[Literal["good", "note", "bad"], str] = {"good": "ok", "note": "note", "bad": "BAD"}
    rows = [(mark[one.state], one.check, one.found, one.hint) for one in report.findings]
    lines = columns(("", "check", "found", "do"), rows, left=(0, 1, 2, 3))
    count = sum(one.state == "bad" for one in report.findings)
    return "\n".join([*lines, "", f"{count} to mend" if count else "nothing to mend"])


def _open_to_others(path: Path, mask: int) -> Finding | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    mode = found.st_mode & 0o777
    if found.st_uid != os.geteuid():
        return bad("permissions", f"{path} belongs to uid {found.st_uid}", f"chown {os.geteuid()} {path}")
    if mode & mask:
        return bad("permissions", f"{path} has mode {mode:04o}", f"chmod {mode & ~mask & 0o777:04o} {path}")
    return None
