"""The files of the page on the wire: compressed, known again by their content, small as a whole."""

import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from engine.monitor.page_files import PageFiles, _takes_gzip
from engine.monitor.pages import static_directory
from tests.monitor.browser_pages import needs_libraries
from tests.monitor.rig import Rig, running

STATIC = static_directory()
MOST_WIRE_BYTES = 300_000
LINKED = re.compile(r'(?:src|href)="(/static/[^"]+)"')


async def raw(rig: Rig, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """As it left: not unpacked."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(rig.base + path, headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


@pytest.mark.asyncio
async def test_text_is_compressed_for_who_takes_it_and_is_the_same_for_both(tmp_path: Path) -> None:
    async with running(tmp_path, with_engine=False) as rig:
        for path, file in (("/", "index.html"), ("/static/main.js", "main.js"), ("/static/base.css", "base.css")):
            _, told, packed = await raw(rig, path, **{"Accept-Encoding": "gzip, deflate, br"})
            _, plainly, plain = await raw(rig, path, **{"Accept-Encoding": "identity"})

            assert told["Content-Encoding"] == "gzip"
            assert "Content-Encoding" not in plainly
            assert gzip.decompress(packed) == plain == (STATIC / file).read_bytes()
            assert len(packed) < len(plain) / 2
            assert told["Content-Type"] == plainly["Content-Type"]
            assert told["Vary"] == plainly["Vary"] == "Accept-Encoding"
            assert told["Cache-Control"] == "no-cache"
            assert told["ETag"] != plainly["ETag"]


@pytest.mark.asyncio
@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_what_a_browser_has_is_not_sent_again(tmp_path: Path, coding: str) -> None:
    async with running(tmp_path, with_engine=False) as rig:
        _, told, _ = await raw(rig, "/static/main.js", **{"Accept-Encoding": coding})
        sent = {"Accept-Encoding": coding}
        again = await raw(rig, "/static/main.js", **sent | {"If-None-Match": told["ETag"]})
        weakly = await raw(rig, "/static/main.js", **sent | {"If-None-Match": f'"x", W/{told["ETag"]}'})
        other = await raw(rig, "/static/main.js", **sent | {"If-None-Match": '"another"'})

    assert (again[0], again[2], again[1]["ETag"]) == (304, b"", told["ETag"])
    assert "Content-Security-Policy" in again[1]
    assert weakly[0] == 304
    assert (other[0], other[1]["ETag"]) == (200, told["ETag"])


@needs_libraries
@pytest.mark.asyncio
async def test_the_whole_page_is_small_on_the_wire(tmp_path: Path) -> None:
    async with running(tmp_path, with_engine=False) as rig:
        _, _, page = await raw(rig, "/", **{"Accept-Encoding": "gzip"})
        paths = set(LINKED.findall(gzip.decompress(page).decode()))
        answers = {path: await raw(rig, path, **{"Accept-Encoding": "gzip"}) for path in sorted(paths)}

    wire = len(page) + sum(len(body) + len(str(told)) for _, told, body in answers.values())
    assert {status for status, _, _ in answers.values()} == {200}
    assert len(answers) > 25
    assert wire < MOST_WIRE_BYTES


def test_a_file_that_is_replaced_is_read_again_and_one_that_is_not_is_packed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, files, packed = tmp_path / "a.js", PageFiles(), []
    compress = zlib.compress

    def counted(data: bytes, **_: Any) -> bytes:
        packed.append(data)
        return compress(data)

    monkeypatch.setattr("engine.monitor.page_files.gzip.compress", counted)
    asked: Any = SimpleNamespace(headers={"Accept-Encoding": "gzip"}, if_none_match=None)
    path.write_text("1" * 500)
    first = [files.answer(asked, path).headers["ETag"] for _ in range(3)]
    path.write_text("22" * 500)
    second = files.answer(asked, path).headers["ETag"]

    assert len(set(first)) == 1
    assert second != first[0]
    assert [len(one) for one in packed] == [500, 1_000]


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("deflate,gzip ; q=1.0", True), ("", False), ("identity", False),
        ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_only_who_names_gzip_gets_it(accepts: str, expected: bool) -> None:
    asked: Any = SimpleNamespace(headers={"Accept-Encoding": accepts})
    assert _takes_gzip(asked) is expected
