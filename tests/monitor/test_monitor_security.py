"""What keeps strangers out of the monitor: one test for each way in, named after it."""

import asyncio
import contextlib
import hmac
import socket
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from engine import exits
from engine.config.settle import settle
from engine.exits import ExitError
from engine.init_command import initialised
from engine.monitor import gate, guard, server
from engine.monitor.audit import NAME as AUDIT
from engine.monitor.guard import COOKIE, SESSION_S, TRIES_AT_ONCE, Tokens, WeakTokenError, is_our_host, is_our_origin
from engine.monitor_command import run_monitor
from engine.paths import find_paths
from tests.monitor.rig import OPERATE, READ, Rig, running, until

pytestmark = pytest.mark.asyncio

KILL = {"name": "kill", "argument": "entries", "reason": "smoke"}
JSON = {"Content-Type": "application/json"}


async def raw(rig: Rig, data: bytes) -> bytes:
    """What the server answers to exactly these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(data)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.read(65_536)
    writer.close()
    return answer


# ----------------------------------------------------------------------------------- listening


async def test_a_public_address_without_a_token_file_is_refused_with_78(tmp_path: Path) -> None:
    initialised(tmp_path)
    (tmp_path / "secrets" / "monitor_token").unlink()
    tls = ("monitor.tls_cert_file={config}/page.crt", "monitor.tls_key_file={config}/page.key")

    for address in ("0.0.0.0:8787", "[::]:8787", "192.168.1.4:8787"):
        with pytest.raises(ExitError, match=r"public address: a token file is required") as found:
            run_monitor(tmp_path, (), tls, listen=address, store=None, expose=True)
        assert found.value.code == exits.BAD_CONFIG


async def test_only_loopback_is_listened_on_by_default(tmp_path: Path) -> None:
    initialised(tmp_path)
    config = settle((), find_paths(tmp_path, {}, tmp_path), {}).config

    assert config.monitor is not None
    assert config.monitor.listen == "127.0.0.1:8787"
    assert not config.monitor.is_public
    async with running(tmp_path / "home") as rig, aiohttp.ClientSession() as http:
        other = socket.gethostbyname(socket.gethostname())
        if not other.startswith("127."):
            with pytest.raises(aiohttp.ClientConnectionError):
                await http.get(f"http://{other}:{rig.port}/healthz")


async def test_a_token_that_could_be_guessed_is_refused() -> None:
    for token in ("devkey", "a" * 43, "ab" * 30):
        with pytest.raises(WeakTokenError):
            Tokens(token)


# -------------------------------------------------------------------------------------- tokens


async def test_nothing_is_answered_without_a_token(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        paths = [str(route.canonical) for route in rig.http and _resources(rig)]
        assert len(paths) > 30
        for path in paths:
            async with rig.http.get(rig.base + path.replace("{campaign}", "x").replace("{name}", "x")) as answer:
                is_open = path in ("/", "/healthz", "/readyz") or path.startswith("/static/")
                assert (answer.status == 401) != is_open, path


async def test_the_wrong_token_is_told_apart_from_the_right_one(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.get("status"))[0] == 200
        assert (await rig.get("status", READ))[0] == 200
        assert (await rig.get("status", OPERATE[:-1] + "x"))[0] == 401
        assert (await rig.get("status", ""))[0] == 401


async def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    compared = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        seen.append((len(one), len(other)))
        return compared(one, other)

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    tokens = Tokens(OPERATE, READ)

    for token in (OPERATE, READ, "", "x" * 5_000):
        seen.clear()
        tokens.role(token)
        assert seen == [(32, 32), (32, 32)]


async def test_brute_force_is_stopped_after_ten_tries(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        found = [(await rig.get("status", f"wrong-{number}"))[0] for number in range(TRIES_AT_ONCE + 5)]
        signing = [await _try(rig, f"wrong-{number}") for number in range(3)]
        right = await _try(rig, OPERATE)
        rig.clock.ahead_ns += 60_000_000_000
        later = await _try(rig, OPERATE)

    assert found == [401] * TRIES_AT_ONCE + [429] * 5
    assert signing == [429] * 3
    assert right == 429
    assert later == 200


async def test_a_token_in_an_address_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for name in ("token", "access_token", "Authorization", "API_KEY"):
            status, problem = await rig.get(f"status?{name}={OPERATE}")
            assert (status, problem["code"]) == (400, "secret_in_address")
            assert OPERATE not in str(problem)


# ------------------------------------------------------------------------------------ sessions


async def test_a_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        body = msgspec.json.encode({"token": OPERATE})
        async with rig.http.post(f"{rig.base}/api/v1/session", data=body, headers=rig.origin | JSON) as answer:
            cookie = answer.headers["Set-Cookie"]
            shown = await answer.json()
        async with rig.http.get(f"{rig.base}/api/v1/status") as answer:
            by_cookie = answer.status

    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert OPERATE not in cookie
    assert shown["role"] == "operate"
    assert by_cookie == 200


async def test_a_session_ends_with_its_time_and_with_signing_out(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        csrf = await rig.sign_in()
        async with rig.http.delete(f"{rig.base}/api/v1/session", headers=rig.origin | {"X-CSRF-Token": csrf}) as answer:
            signed_out = answer.status
        async with rig.http.get(f"{rig.base}/api/v1/status") as answer:
            after = answer.status
        await rig.sign_in()
        rig.clock.ahead_ns += (SESSION_S + 1) * 1_000_000_000
        async with rig.http.get(f"{rig.base}/api/v1/session") as answer:
            over = answer.status

    assert (signed_out, after, over) == (204, 401, 401)


async def test_a_made_up_session_is_none(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for value in ("x", "", "0" * 64, "\xff"):
            async with rig.http.get(f"{rig.base}/api/v1/status", headers={"Cookie": f"{COOKIE}={value}"}) as answer:
                assert answer.status == 401


# ------------------------------------------------------------------- other pages in the browser


async def test_csrf_a_form_of_another_page_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        csrf = await rig.sign_in()
        body = msgspec.json.encode(KILL)
        good = rig.origin | JSON | {"X-CSRF-Token": csrf}
        for spoilt, status in (
            ({"X-CSRF-Token": ""}, 403),
            ({"X-CSRF-Token": "x" * 43}, 403),
            ({"X-CSRF-Token": "\xe9"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({"Content-Type": "multipart/form-data"}, 415),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
        ):
            async with rig.http.post(f"{rig.base}/api/v1/commands", data=body, headers=good | spoilt) as answer:
                assert answer.status == status, spoilt
        without = {name: value for name, value in good.items() if name != "Origin"}
        async with rig.http.post(f"{rig.base}/api/v1/commands", data=body, headers=without) as answer:
            assert answer.status == 403
        assert rig.engine.commands == []

        async with rig.http.post(f"{rig.base}/api/v1/commands", data=body, headers=good) as answer:
            assert answer.status == 200
        assert [one.name for one in rig.engine.commands] == ["kill"]


async def test_nothing_is_allowed_to_another_origin(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        async with rig.http.options(f"{rig.base}/api/v1/commands", headers=asks) as answer:
            assert answer.status in (401, 403, 405)
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        status, _ = await rig.get("status", Origin="https://evil.example")
        assert status == 200  # a GET changes nothing; without CORS the page cannot read the answer
        async with rig.http.get(f"{rig.base}/healthz", headers={"Origin": "https://evil.example"}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://a.127.0.0.1", "", "file://"],
)
async def test_cswsh_another_page_cannot_open_the_websocket(tmp_path: Path, origin: str) -> None:
    async with running(tmp_path) as rig:
        await rig.sign_in()

        with pytest.raises(aiohttp.WSServerHandshakeError) as found:
            await rig.http.ws_connect(f"{rig.base}/ws", headers={"Origin": origin})

    assert found.value.status == 403


async def test_cswsh_a_browser_must_say_where_it_comes_from(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.sign_in()

        with pytest.raises(aiohttp.WSServerHandshakeError) as found:
            await rig.http.ws_connect(f"{rig.base}/ws")
        async with rig.http.ws_connect(f"{rig.base}/ws", headers=rig.origin) as watching:
            hello = await watching.receive_json()

    assert found.value.status == 403
    assert hello["type"] == "hello"


async def test_the_websocket_sends_nothing_before_the_sign_in(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for token in ("", "wrong" * 10):
            with pytest.raises(aiohttp.WSServerHandshakeError) as found:
                await rig.watch(token)
            assert found.value.status == 401


async def test_the_websocket_ends_with_its_session(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        csrf = await rig.sign_in()
        async with rig.http.ws_connect(f"{rig.base}/ws", headers=rig.origin) as watching:
            await watching.receive_json()
            headers = rig.origin | {"X-CSRF-Token": csrf}
            async with rig.http.delete(f"{rig.base}/api/v1/session", headers=headers):
                pass
            async with asyncio.timeout(10):
                async for _ in watching:
                    pass

            assert watching.close_code == 4401


async def test_dns_rebinding_a_host_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for host in ("attacker.com", f"attacker.com:{rig.port}", "127.0.0.1.attacker.com", "localhost.evil", ""):
            async with rig.http.get(f"{rig.base}/healthz", headers={"Host": host}) as answer:
                assert answer.status == 421, host
            with pytest.raises(aiohttp.WSServerHandshakeError) as found:
                await rig.watch(Host=host, Origin=f"http://{host}")
            assert found.value.status == 421
        for host in (f"localhost:{rig.port}", f"127.0.0.1:{rig.port}", f"[::1]:{rig.port}", socket.gethostname()):
            async with rig.http.get(f"{rig.base}/healthz", headers={"Host": host}) as answer:
                assert answer.status == 200, host


async def test_hosts_and_origins_that_are_nonsense_are_not_ours() -> None:
    assert not any(is_our_host(host) for host in ("", ":", "[::1", "a b", "@", "127.0.0.1@evil.example", "[v1.x]"))
    assert is_our_origin("http://localhost:8787", "localhost:8787")
    assert not is_our_origin("http://localhost:8787.evil.example", "localhost:8787")


# --------------------------------------------------------------------------------------- roles


async def test_who_may_only_look_cannot_operate(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        status, problem = await rig.post(KILL, READ)

        assert (status, problem["code"]) == (403, "read_only")
        assert rig.engine.commands == []
        audit = (tmp_path / "logs" / AUDIT).read_text()
    assert '"name":"kill"' in audit
    assert "read, token, 127.0.0.1" in audit


async def test_nobody_operates_where_the_configuration_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, allow_operate=False) as rig:
        assert (await rig.post(KILL))[0] == 403


async def test_every_command_is_audited_with_role_and_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.post(KILL)
        await rig.post({"name": "pause"})

    lines = [msgspec.json.decode(line) for line in (tmp_path / "logs" / AUDIT).read_bytes().splitlines()]
    assert [(one["name"], one["caller"], one["reason"], one["code"]) for one in lines] == [
        ("kill", "operate, token, 127.0.0.1", "smoke", 0),
        ("pause", "operate, token, 127.0.0.1", "", 0),
    ]
    assert (tmp_path / "logs" / AUDIT).stat().st_mode & 0o777 == 0o600
    assert "monitor: operate, token" in rig.engine.commands[0].reason


# --------------------------------------------------------------------------------------- limits


async def test_an_address_that_asks_too_much_waits_and_a_kill_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "REQUESTS_AT_ONCE", 20)
    monkeypatch.setattr(guard, "REQUESTS_PER_S", 0.001)
    async with running(tmp_path) as rig:
        found = [(await rig.get("status"))[0] for _ in range(25)]
        killed, _ = await rig.post(KILL)

    assert found == [200] * 20 + [429] * 5
    assert killed == 200


async def test_slow_loris_an_unfinished_head_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.3)
    monkeypatch.setattr(server, "SWEEP_S", 0.1)
    async with running(tmp_path) as rig:
        open_ = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(50)]
        for _, writer in open_:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

        async def ends(reader: asyncio.StreamReader) -> None:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""

        async with asyncio.timeout(5):
            await asyncio.gather(*(ends(reader) for reader, _ in open_))
        async with rig.http.get(f"{rig.base}/healthz") as answer:
            assert answer.status == 200
        for _, writer in open_:
            writer.close()


async def test_slow_loris_a_slow_body_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BODY_S", 0.2)
    async with running(tmp_path) as rig:
        head = (
            f"POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATE}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in await raw(rig, head.encode())


async def test_bodies_and_frames_are_bounded(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.post(b"x" * 20_000))[0] == 413
        for body in (b"", b"[]", b"{", b'{"name":"kill","x":1}', b'{"name":"rm -rf"}', b"[" * 5_000, b"\xff\xfe"):
            assert (await rig.post(body))[0] == 400, body
        async with rig.watch() as watching:
            await watching.send_str("x" * 5_000)
            async with asyncio.timeout(5):
                async for _ in watching:
                    pass
            assert watching.close_code == 1009


async def test_a_viewer_that_says_too_much_is_closed(tmp_path: Path) -> None:
    async with running(tmp_path) as rig, rig.watch() as watching:
        for _ in range(100):
            await watching.send_str('{"type":"snapshot"}')
        async with asyncio.timeout(10):
            async for _ in watching:
                pass
        assert watching.close_code == 1013


# ------------------------------------------------------------------------------------- answers


async def test_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for path in ("/", "/healthz", "/api/v1/status", "/nothing", "/static/../server.py", "/static/index.html"):
            async with rig.http.get(rig.base + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["Server"] == "wyckoff"


async def test_errors_show_no_trace_path_or_release(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        answers = [
            await raw(rig, b"GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n"),
            await raw(rig, b"\x16\x03\x01\x02\x00\r\n\r\n"),
            await raw(rig, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n"),
            msgspec.json.encode((await rig.get("campaigns/x"))[1]),
            msgspec.json.encode((await rig.get("bars?symbol=1"))[1]),
        ]
    for answer in answers:
        for word in (b"Traceback", b"/work/", b"site-packages", b".py", b"aiohttp", b"Python", str(tmp_path).encode()):
            assert word not in answer, answer


async def test_static_files_come_from_one_folder_only(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for path in (
            "/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/server.py", "/static//etc/passwd",
            "/static/.hidden.js", "/static/a/../../guard.py", "/static/x\x00.js",
        ):  # fmt: skip
            answer = await raw(rig, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert answer.split(b" ")[1] in (b"400", b"404", b"401"), path
            assert b"import" not in answer


async def test_tokens_are_in_no_log_no_audit_and_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as rig:
        await rig.sign_in()
        await rig.post(KILL | {"reason": "no secret"})
        shown = [await rig.get(path) for path in ("status", "session", "commands", "logs", "openapi.json")]
        await until((tmp_path / "logs" / AUDIT).exists)
        written = _files(tmp_path)
    said = capsys.readouterr()

    for text in (str(shown), written.decode("latin-1"), said.out, said.err):
        assert OPERATE not in text
        assert READ not in text


def _files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def _resources(rig: Rig) -> Any:
    app = server.application(rig.monitor, set())
    return {resource.canonical: resource for resource in app.router.resources()}.values()


async def _try(rig: Rig, token: str) -> int:
    body = msgspec.json.encode({"token": token})
    async with rig.http.post(f"{rig.base}/api/v1/session", data=body, headers=rig.origin | JSON) as answer:
        return answer.status
