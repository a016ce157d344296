"""The fuzzer in short, in a process of its own: libFuzzer ends it without coming back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.codecs.codec import RowBuffer
from adapters.codecs.protocols import PROTOCOLS, Protocol

ROOT = Path(__file__).resolve().parents[2]
RUNS = 200_000 if os.environ.get("WYCKOFF_SOAK") else 10_000
BROKEN = 77
"""What libFuzzer exits with when the target raised."""


class Forgetful:
    """Reports nothing when a frame has a brace."""

    def decode(self, frame: bytes, received_ns: int, rows: RowBuffer) -> None:
        if b"{" not in frame:
            rows.malformed()


def fuzzed(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """The fuzzer, started by a program that runs `lines` first."""
    program = "\n".join(("import sys", "from tests.fuzz import fuzz_codecs", *lines, "fuzz_codecs.main(sys.argv)"))
    options = (f"-runs={RUNS}", "-seed=1", f"-artifact_prefix={folder}/", str(folder / "corpus"))
    command = (sys.executable, "-c", program, *options)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_no_bytes_break_a_codec(tmp_path: Path) -> None:
    ended = fuzzed(tmp_path)

    assert ended.returncode == 0, ended.stderr[-4_000:] + ended.stdout[-4_000:]
    done = re.search(r"Done (\d+) runs", ended.stderr)
    assert done is not None
    assert int(done[1]) >= RUNS
    assert len(list((tmp_path / "corpus").iterdir())) > 100


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_codec_that_forgets_frames_is_found(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz_codecs = pytest.importorskip("tests.fuzz.fuzz_codecs")
    monkeypatch.setitem(fuzz_codecs.PROTOCOLS, name, Protocol(Forgetful, ()))

    with pytest.raises(AssertionError, match="reported to nobody"):
        fuzz_codecs.judge(bytes([fuzz_codecs.NAMES.index(name)]) + b"x\0{}")


def test_the_process_says_so_when_a_law_is_broken(tmp_path: Path) -> None:
    broken = (
        "from tests.fuzz.test_fuzz_codecs import Forgetful",
        "from adapters.codecs.protocols import PROTOCOLS, Protocol",
        "PROTOCOLS['kraken'] = Protocol(Forgetful, ())",
    )

    ended = fuzzed(tmp_path, *broken)

    assert ended.returncode == BROKEN
    assert "reported to nobody" in ended.stdout + ended.stderr
    assert list(tmp_path.glob("crash-*"))
