"""What is left of the ways into a monitor: replayed commands, injected headers, floods; and the list of all rows.

A row of the threat model that concerns the monitor has a test named after it; `ROWS` says where.
"""

import asyncio
import contextlib
import importlib
import os
from pathlib import Path

import aiohttp
import msgspec
import pytest

from engine.monitor import guard, server
from engine.monitor.audit import NAME as AUDIT
from engine.monitor.nonces import GOOD_MS, MOST_KEPT, Nonces
from tests.monitor.rig import OPERATE, READ, MovedClock, Rig, running

PAUSE = {"name": "pause", "reason": "smoke"}

ROWS = {
    "S01 bind": ("tls", "s01_a_public_address_needs_tls_a_token_and_the_will_to"),
    "S02 tokens": ("security", "brute_force_is_stopped_after_ten_tries"),
    "S02 compare": ("security", "tokens_are_compared_in_constant_time"),
    "S02 address": ("security", "a_token_in_an_address_is_refused"),
    "S03 CSRF": ("security", "csrf_a_form_of_another_page_changes_nothing"),
    "S03 CORS": ("security", "nothing_is_allowed_to_another_origin"),
    "S04 CSWSH": ("security", "cswsh_another_page_cannot_open_the_websocket"),
    "S04 first": ("security", "the_websocket_sends_nothing_before_the_sign_in"),
    "S05 rebinding": ("security", "dns_rebinding_a_host_that_is_not_ours_is_refused"),
    "S05 names": ("tls", "s05_only_its_own_names_are_answered"),
    "S06 TLS": ("tls", "s06_old_tls_is_refused"),
    "S07 key": ("tls", "s07_a_key_that_others_can_read_is_refused"),
    "S08 logs": ("security", "tokens_are_in_no_log_no_audit_and_no_answer"),
    "S09 input": ("security", "bodies_and_frames_are_bounded"),
    "S09 document": ("document", "the_document_is_kept"),
    "S09 headers": ("defences", "s09_header_injection_reaches_no_answer"),
    "S16 loris": ("security", "slow_loris_an_unfinished_head_is_cut"),
    "S16 body": ("security", "slow_loris_a_slow_body_is_cut"),
    "S16 flood": ("defences", "s16_a_flood_of_connections_leaves_room"),
    "S16 readers": ("socket", "a_viewer_that_never_reads_is_closed_and_others_do_not_notice"),
    "S17 policy": ("security", "every_answer_has_the_security_headers"),
    "S18 audit": ("defences", "s18_the_audit_is_for_its_owner_alone"),
    "S20 replay": ("defences", "s20_a_command_that_is_sent_again_is_refused"),
    "S21 errors": ("security", "errors_show_no_trace_path_or_release"),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_threat_model_has_its_test(row: str) -> None:
    module, name = ROWS[row]

    found = importlib.import_module(f"tests.monitor.test_monitor_{module}")

    assert callable(getattr(found, f"test_{name}", None)), row


# ---------------------------------------------------------------------------------------- replay


def fresh(rig: Rig, word: str = "a" * 12, *, ago_ms: int = 0) -> str:
    return f"{rig.clock.now_ns() // 1_000_000 - ago_ms}-{word}"


@pytest.mark.asyncio
async def test_s20_a_command_that_is_sent_again_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        sent = PAUSE | {"nonce": fresh(rig)}
        first, again = await rig.post(sent), await rig.post(sent)
        other = await rig.post(PAUSE | {"nonce": fresh(rig, "b" * 12)})
        old = await rig.post(PAUSE | {"nonce": fresh(rig, "c" * 12, ago_ms=GOOD_MS + 1_000)})
        ahead = await rig.post(PAUSE | {"nonce": fresh(rig, "d" * 12, ago_ms=-GOOD_MS - 1_000)})
        nonsense = await rig.post(PAUSE | {"nonce": "1"})
        without = await rig.post(PAUSE)

        assert len(rig.engine.commands) == 3
    assert [one[0] for one in (first, other, without)] == [200, 200, 200]
    assert [(one[0], one[1]["code"]) for one in (again, old, ahead, nonsense)] == [(409, "replayed")] * 4
    audit = [msgspec.json.decode(line) for line in (tmp_path / "logs" / AUDIT).read_bytes().splitlines()]
    assert len(audit) == 7
    assert "the nonce was used before" in audit[1]["message"]


@pytest.mark.asyncio
async def test_s20_a_kill_is_obeyed_however_often_it_comes(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        sent = {"name": "kill", "argument": "entries", "reason": "smoke", "nonce": fresh(rig)}
        found = [(await rig.post(sent))[0] for _ in range(3)]

        assert found == [200] * 3
        assert [one.name for one in rig.engine.commands] == ["kill"] * 3


def test_nonces_are_forgotten_when_they_are_too_old_to_be_taken_and_never_before() -> None:
    clock = MovedClock()
    nonces, now_ms = Nonces(clock), clock.now_ns() // 1_000_000
    for number in range(MOST_KEPT):
        assert nonces.take(f"{now_ms}-{number:012}")

    assert not nonces.take(f"{now_ms}-one-more-that-is-new")
    assert not nonces.take(f"{now_ms}-{0:012}")
    clock.ahead_ns = (2 * GOOD_MS + 2_000) * 1_000_000
    assert nonces.take(f"{now_ms + 2 * GOOD_MS}-one-more-that-is-new")
    assert not nonces.take(f"{now_ms}-{0:012}")


# --------------------------------------------------------------------------------------- headers


async def answer_to(rig: Rig, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(data)
    await writer.drain()
    async with asyncio.timeout(10):
        found = await reader.read(65_536)
    writer.close()
    return found


@pytest.mark.asyncio
async def test_s09_header_injection_reaches_no_answer(tmp_path: Path) -> None:
    """Whatever is put into paths, parameters, cookies and fields comes back in no header, and splits no answer."""
    split = "%0d%0aSet-Cookie:%20stolen=1%0d%0a%0d%0a<script>"
    async with running(tmp_path) as rig:
        auth = f"Authorization: Bearer {OPERATE}\r\nConnection: close\r\n"
        found = [
            await answer_to(rig, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{auth}{more}\r\n".encode("latin-1"))
            for path, more in (
                (f"/api/v1/campaigns/{split}", ""),
                (f"/api/v1/bars?symbol={split}&timeframe={split}", ""),
                (f"/api/v1/events?cursor={split}", ""),
                (f"/static/{split}.js", ""),
                ("/api/v1/status", 'If-None-Match: "x", W/"y\x0bSet-Cookie: stolen=1"\r\n'),
                ("/api/v1/status", "X-Bad: a\r Set-Cookie: stolen=1\r\n"),
                ("/api/v1/status", "X-Bad: a\n Set-Cookie: stolen=1\r\n"),
                ("/api/v1/status", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                ("/api/v1/status", "Cookie: wyckoff_session=a; stolen=\x01\r\n"),
                ("/api/v1/status", "Host: evil.example\r\n"),
            )
        ]
    for answer in found:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1."), answer
        assert b"stolen" not in head, answer
        assert b"evil" not in head
        assert body.count(b"HTTP/1.") == 0, "one question, one answer"
        assert b"<script>" not in body or b"application/" in head


@pytest.mark.asyncio
async def test_s09_two_hosts_are_not_one_of_ours(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for lines in ("Host: localhost\r\nHost: evil.example", "Host: evil.example\r\nHost: localhost", "Host:"):
            answer = await answer_to(rig, f"GET /healthz HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n".encode())
            assert answer.split(b" ")[1] in (b"400", b"421"), (lines, answer)


# ---------------------------------------------------------------------------------------- floods


@pytest.mark.asyncio
async def test_s16_a_flood_of_connections_leaves_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 30)
    monkeypatch.setattr(server, "SWEEP_S", 0.05)
    async with running(tmp_path) as rig, rig.watch() as watching:
        await watching.receive_json()
        flood = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(100)]

        async def is_cut(reader: asyncio.StreamReader) -> bool:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(3):
                    return await reader.read(1) == b""
            return False

        cut = sum(await asyncio.gather(*(is_cut(reader) for reader, _ in flood)))
        async with aiohttp.ClientSession() as http, http.get(f"{rig.base}/healthz") as answer:
            assert answer.status == 200
        assert not watching.closed
        await watching.send_str('{"type":"ping"}')
        async with asyncio.timeout(5):
            while (await watching.receive_json())["type"] != "pong":
                pass
        for _, writer in flood:
            writer.close()

    assert cut >= 60


@pytest.mark.asyncio
async def test_s02_a_bucket_for_each_address_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_ADDRESSES", 50)
    limits = guard.Limits(MovedClock(), capacity=2, per_s=0.001)

    assert [limits.take("a") for _ in range(3)] == [True, True, False]
    assert limits.take("b")
    for number in range(1_000):
        limits.take(str(number))
    assert len(limits._buckets) <= 50


# ----------------------------------------------------------------------------------------- audit


@pytest.mark.asyncio
async def test_s18_the_audit_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with running(tmp_path) as rig:
            await rig.post(PAUSE)
            await rig.post(PAUSE, READ)
    finally:
        os.umask(before)

    found = tmp_path / "logs" / AUDIT
    assert found.stat().st_mode & 0o777 == 0o600
    assert found.parent.stat().st_mode & 0o777 == 0o700
    assert OPERATE.encode() not in found.read_bytes()
    assert len(found.read_bytes().splitlines()) == 2
