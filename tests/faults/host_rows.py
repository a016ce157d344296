"""Faults of the host around a trading engine: a slow disk, names that are lost, a certificate of somebody else.

As the rows of `process_rows`. The host fails as the files in the engine's home say: see `child`.
"""

import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from engine import exits
from engine.live.stream import SOCKET_NAME
from engine.paths import find_paths
from tests.faults.child import NO_NAMES, SLOW_DISK, SLOW_S
from tests.faults.hosts import Host
from tests.faults.process_rows import Row, held, stood_still, traded
from tests.faults.processes import Engine

STARTS = 3
MOST_HELPS = 4.0
"""A second start may take so many times the processor time of `--help`: it reads the settings and sees the lock."""

DEAF_S = 3.0
"""Longer than a reader may take nothing."""

OTHER_NAME = "other.example"


def disk_slow(one: Engine, host: Host) -> None:
    """Every write takes seconds: entries stop, the loop does not; on a fast disk it goes on by itself."""
    refused = one.status().day.refused
    (one.home / SLOW_DISK).touch()
    one.until(lambda seen: held(seen, "HEALTH_TAPE"), "told that the tape lags")
    one.until(lambda seen: seen.day.refused > refused, "an entry that is refused")
    time.sleep(3 * SLOW_S)
    (one.home / SLOW_DISK).unlink()
    traded(one)
    assert not stood_still(one)


def readers_deaf(one: Engine, host: Host) -> None:
    """Who reads nothing of what it asked for, or asks for half of something, holds up nobody."""
    before = one.descriptors()
    runtime = find_paths(one.home, {}, one.home).runtime
    with ExitStack() as around:
        for name in (SOCKET_NAME, "ctl.sock") * 3:
            deaf = around.enter_context(socket.socket(socket.AF_UNIX))
            deaf.connect(str(runtime / name))
            deaf.send(b"GET /v1/sta")
        traded(one)
        time.sleep(DEAF_S)
        traded(one)
    one.until(lambda _: abs(one.descriptors() - before) <= 2, "no connection is left")
    assert not stood_still(one)


def names_lost_at_start(one: Engine, host: Host) -> None:
    """No name can be resolved: not reached, exit code 75, nothing begun."""
    assert one.stop() == 0
    named(one)
    tape = one.tapes()[0].read_bytes()
    (one.home / NO_NAMES).touch()
    requests = len(host.venue.ledger.requests)
    one.start()
    assert one.ended() == exits.TEMPORARY, one.told()
    assert "dns" in one.told(), one.told()
    assert len(host.venue.ledger.requests) == requests
    assert one.tapes()[0].read_bytes() == tape
    (one.home / NO_NAMES).unlink()
    one.start()
    traded(one)


def names_lost_later(one: Engine, host: Host) -> None:
    """An address that is known is gone on with: a resolver that is down takes no session with it."""
    assert one.stop() == 0
    named(one)
    one.start()
    traded(one)
    (one.home / NO_NAMES).touch()
    for _ in range(3):
        before = one.status().feeds[0].reconnects
        host.do(lambda venue: venue.kick("abort"))
        one.until(lambda seen, before=before: seen.feeds[0].reconnects > before, "connected again")  # type: ignore[misc]
    traded(one)


def certificate_of_another(one: Engine, host: Host) -> None:
    """Who answers has the certificate of another name: not reached, exit code 75, and nothing was said to it."""
    assert one.stop() == 0
    settings = one.home / "wyckoff.toml"
    text = settings.read_text()
    with impostor(one.home) as (address, heard):
        settings.write_text(text.replace(host.venue.rest_url, f"https://{address}"))
        one.start()
        assert one.ended() == exits.TEMPORARY, one.told()
    assert "tls" in one.told(), one.told()
    assert heard == [b""] * len(heard)
    assert heard, "nobody called"
    settings.write_text(text)
    one.start()
    traded(one)


def two_sources(one: Engine, host: Host) -> None:
    """Two feeds of one symbol cannot disagree unnoticed, for they are refused: one feed a symbol."""
    assert one.stop() == 0
    settings = one.home / "wyckoff.toml"
    text = settings.read_text()
    feed = text[text.index("[[feeds]]") :]
    settings.write_text(f"{text}\n{feed.replace('loop', 'other')}")
    one.start()
    assert one.ended() == exits.BAD_CONFIG, one.told()
    assert all(word in one.told() for word in ("feeds.1.symbols", "BTCUSDT", "loop")), one.told()
    settings.write_text(text)
    one.start()
    traded(one)


def second_engine(one: Engine, host: Host) -> None:
    """Refused before anything is loaded that an engine needs: little more than `--help` costs."""
    flags = [word for path in one.configs for word in ("-c", str(path))]
    other = one.run("trade", "--home", str(one.home), *flags)
    assert other.returncode == exits.REFUSED, other.stderr
    assert str(one.pid) in other.stderr
    refused_s = cpu_s(one, "trade", "--home", str(one.home), *flags)
    help_s = cpu_s(one, "--help")
    print(f"    a second start refuses in {refused_s:.2f} s of processor time, --help takes {help_s:.2f} s")
    assert refused_s <= MOST_HELPS * help_s
    traded(one)


def cpu_s(one: Engine, *words: str) -> float:
    """The least that a command took of the processor, out of a few runs."""
    taken = []
    for _ in range(STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        one.run(*words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def named(one: Engine) -> None:
    """The venue by a name, not by its address."""
    settings = one.home / "wyckoff.toml"
    settings.write_text(settings.read_text().replace("//127.0.0.1:", "//localhost:"))


@contextmanager
def impostor(home: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Speaks TLS at this address under another name; notes what each caller said inside of it."""
    key, certificate = home / "other.key", home / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={OTHER_NAME}",
         "-addext", f"subjectAltName=DNS:{OTHER_NAME}", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listening.accept()
                said = b""
                with suppress(OSError), caller, context.wrap_socket(caller, server_side=True) as inside:
                    said = inside.recv(1_000)
                heard.append(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"localhost:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


ROWS_OF_HOSTS = [
    Row("M17-two-sources", two_sources),
    Row("P03-disk-slow", disk_slow, short=True),
    Row("P11-readers-deaf", readers_deaf),
    Row("P15-second-engine", second_engine, short=True),
    Row("P18-names-lost-at-start", names_lost_at_start),
    Row("P18-names-lost-later", names_lost_later),
    Row("P18-certificate-of-another", certificate_of_another),
]
