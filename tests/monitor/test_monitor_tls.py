"""A page that other machines reach: only with TLS, a token and the will to, and then under its own names."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from engine import exits
from engine.config import ConfigError
from engine.config.daemon_tables import MonitorSettings
from engine.config.settle import settle
from engine.exits import ExitError
from engine.init_command import initialised
from engine.live.clock import SystemClock
from engine.monitor import server
from engine.monitor.guard import COOKIE, Tokens
from engine.monitor.server import Plan, monitor_of, serving
from engine.monitor.tls import client_context, server_context
from engine.monitor_command import run_monitor
from engine.paths import PathError, find_paths
from tests.monitor.rig import OPERATE, running

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")

NAME = "desk.example.org"
TLS = {"tls_cert_file": "a.crt", "tls_key_file": "a.key"}
SETS = ("monitor.tls_cert_file={config}/page.crt", "monitor.tls_key_file={config}/page.key")


def certificate(directory: Path, name: str = NAME) -> tuple[Path, Path]:
    """Self-signed, in PEM, with its key of mode 0600."""
    found, key = directory / "page.crt", directory / "page.key"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    make += ["-keyout", str(key), "-out", str(found), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(make, check=True, capture_output=True)
    key.chmod(0o600)
    return found, key


@asynccontextmanager
async def secured(directory: Path, hosts: tuple[str, ...] = (NAME,)) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    """A monitor with TLS; its port and what a client trusts."""
    crt, key = certificate(directory)
    plan = Plan(mode="paper", tokens=Tokens(OPERATE), hosts=hosts, tls=server_context(crt, key))
    async with serving(monitor_of(plan, SystemClock()), "127.0.0.1", 0) as port:
        yield port, client_context(crt)


# ---------------------------------------------------------------------------- what is needed for it


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "tls_cert_file and tls_key_file must name"),
        ({"expose": True}, "tls_cert_file and tls_key_file must name"),
        (TLS, "expose must be true"),
        (TLS | {"expose": True, "token_file": ""}, "token_file must name a token"),
        ({"tls_cert_file": "a.crt"}, "belong together"),
    ],
)
def test_s01_a_public_address_needs_tls_a_token_and_the_will_to(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MonitorSettings.model_validate({"listen": "0.0.0.0:8787"} | given)

    assert MonitorSettings.model_validate({"listen": "0.0.0.0:8787", "expose": True} | TLS).is_public
    assert not MonitorSettings.model_validate(TLS).is_public


def test_s01_a_public_address_alone_is_refused_with_78(tmp_path: Path) -> None:
    initialised(tmp_path)

    for sets, expose in (((), False), ((), True), (SETS, False)):
        with pytest.raises(ExitError, match=r"monitor.*: listen is a public address") as found:
            run_monitor(tmp_path, (), sets, listen="0.0.0.0:8787", store=None, expose=expose)
        assert found.value.code == exits.BAD_CONFIG


def test_s01_a_configuration_that_exposes_is_refused_before_anything_starts(tmp_path: Path) -> None:
    initialised(tmp_path)

    with pytest.raises(ConfigError, match="public address"):
        settle((), find_paths(tmp_path, {}, tmp_path), {}, ["monitor.listen=0.0.0.0:8787"])


def test_s07_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path)
    key.chmod(0o640)

    with pytest.raises(PathError, match="mode 0600, was 0640"):
        server_context(crt, key)


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = certificate(tmp_path / "other")
    crt.write_text("nonsense")

    with pytest.raises(PathError, match=r"page\.crt: must be a certificate"):
        server_context(crt, key)
    with pytest.raises(PathError, match=r"page\.crt: must be a certificate in PEM with the key"):
        server_context(other, key)
    with pytest.raises(PathError, match=r"none\.key: cannot be read"):
        server_context(crt, tmp_path / "none.key")
    with pytest.raises(PathError, match=r"none\.crt: there is no such file"):
        server_context(tmp_path / "none.crt", key)


def test_a_name_that_is_none_is_refused() -> None:
    for name in ("", "*", "a b", "-a", "a..b", "https://a", "a:1", "x" * 254):
        with pytest.raises(ValueError, match="must be names such as"):
            MonitorSettings.model_validate({"hosts": [name]})


# -------------------------------------------------------------------------------------- and then


@pytest.mark.asyncio
async def test_rest_and_websocket_speak_tls_and_the_cookie_stays_in_it(tmp_path: Path) -> None:
    async with secured(tmp_path) as (port, trusted), aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        base, auth = f"https://127.0.0.1:{port}", {"Authorization": f"Bearer {OPERATE}"}
        async with http.get(f"{base}/api/v1/status", headers=auth, ssl=trusted) as answer:
            assert answer.status == 200
        posted = {"Origin": base, "Content-Type": "application/json"}
        async with http.post(f"{base}/api/v1/session", json={"token": OPERATE}, headers=posted, ssl=trusted) as answer:
            cookie = answer.headers["Set-Cookie"]
        async with connect(f"wss://127.0.0.1:{port}/ws", ssl=trusted, additional_headers=auth, proxy=None) as socket:
            assert '"hello"' in str(await socket.recv(decode=True))
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"http://127.0.0.1:{port}/healthz")

    assert cookie.startswith(COOKIE)
    assert "Secure" in cookie


@pytest.mark.asyncio
async def test_another_certificate_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger, _ = certificate(tmp_path / "other")
    async with secured(tmp_path) as (port, _), aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"https://127.0.0.1:{port}/healthz", ssl=client_context(stranger))


@pytest.mark.asyncio
async def test_s06_old_tls_is_refused(tmp_path: Path) -> None:
    async with secured(tmp_path) as (port, trusted), aiohttp.ClientSession() as http:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            trusted.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            trusted.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"https://127.0.0.1:{port}/healthz", ssl=trusted)


@pytest.mark.asyncio
async def test_s05_only_its_own_names_are_answered(tmp_path: Path) -> None:
    async with running(tmp_path, hosts=("Desk.example.org",)) as rig:
        for host, status in (
            (NAME, 200), (f"{NAME}:{rig.port}", 200), (NAME.upper(), 200), ("example.org", 421),
            (f"evil.{NAME}", 421), (f"{NAME}.evil", 421), (f"{NAME}@evil", 421),
        ):  # fmt: skip
            async with rig.http.get(f"{rig.base}/healthz", headers={"Host": host}) as answer:
                assert answer.status == status, host
        async with rig.http.ws_connect(
            f"{rig.base}/ws", headers={"Host": NAME, "Origin": f"https://{NAME}", "Authorization": f"Bearer {OPERATE}"}
        ) as socket:
            assert (await socket.receive_json())["type"] == "hello"


@pytest.mark.asyncio
async def test_s16_who_begins_tls_and_says_no_more_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.3)
    async with secured(tmp_path) as (port, _):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in opened[:10]:
            writer.write(b"\x16\x03\x01")
        async with asyncio.timeout(5):
            for reader, writer in opened:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
