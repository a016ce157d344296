"""Coverage-guided fuzzing of every registered codec: `python -m tests.fuzz.fuzz_codecs -runs=100000`.

An input is a byte that chooses the protocol, then frames with a zero byte between them, which one
codec reads in order: what it remembers is fuzzed, too. Whatever comes must be reported once and
hold the laws of `tests.codecs.codec_laws`. Options are libFuzzer's; a folder among them is the
corpus, else one in the temporary folder grows from run to run.
"""

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["adapters.codecs"]):
    from adapters.codecs.protocols import PROTOCOLS

from tests.codecs.codec_laws import ODD_VALUES, as_frame, told
from tests.codecs.frames import FRAMES

BETWEEN = b"\0"
NAMES = sorted(PROTOCOLS)
LONGEST_FRAME_S = 5
LONGEST_INPUT = 4_096


def judge(data: bytes) -> None:
    """Raises AssertionError, or what the codec raised."""
    codec = PROTOCOLS[NAMES[data[0] % len(NAMES)] if data else NAMES[0]].make()
    for frame in data[1:].split(BETWEEN):
        told(codec, frame)


def seeds() -> list[bytes]:
    """Each frame of each protocol alone, and all of them in order."""
    found = []
    for number, name in enumerate(NAMES):
        lead = bytes([number])
        found += [lead + frame for frame in FRAMES[name]]
        found.append(lead + BETWEEN.join(FRAMES[name]))
    return found


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time bytes, as libFuzzer does; else one value in the JSON of one frame."""
    chance = random.Random(seed)
    lead, *frames = data[:1], *data[1:].split(BETWEEN)
    which = chance.randrange(len(frames))
    if chance.random() < 0.5 or not (changed := _swapped(frames[which], chance)):
        return bytes(atheris.Mutate(data, most))
    frames[which] = changed
    return (lead + BETWEEN.join(frames))[:most]


def _swapped(frame: bytes, chance: random.Random) -> bytes:
    """Empty when the frame is no JSON that holds a value."""
    try:
        whole = json.loads(frame)
    except (ValueError, RecursionError):
        return b""
    holder: Any = None
    key: Any = None
    inner = whole
    while isinstance(inner, dict | list) and inner and (holder is None or chance.random() < 0.8):
        holder, key = inner, chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        inner = holder[key]
    if holder is None:
        return b""
    holder[key] = chance.choice(ODD_VALUES)
    return as_frame(whole)


def main(arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process, with 77 when a law was broken."""
    folders = [Path(each) for each in arguments[1:] if not each.startswith("-")]
    corpus = folders[0] if folders else Path(tempfile.gettempdir()) / "wyckoff-fuzz-codecs"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    options = [each for each in arguments if each.startswith("-")]
    defaults = [f"-timeout={LONGEST_FRAME_S}", f"-max_len={LONGEST_INPUT}"]
    atheris.Setup([arguments[0], *defaults, *options, str(corpus)], judge, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
