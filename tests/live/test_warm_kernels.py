"""After warm-up nothing is compiled: a compile in the middle of a session would stall its loop for seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from engine import kernels
from engine.campaigns.excursion import walk
from engine.live.kernels import warm
from engine.market_kernel import scan
from engine.risk.along import seek
from tests.lines import config, line, lively, recorded
from tests.markets import bar_market, trade_market

warm(config())
rare = [one.__name__ for one in (seek, scan, walk) if not one.signatures]
assert not rare, f"not warmed: {rare}"
before = {id(one): len(one.signatures) for one in kernels.KERNELS}
chunk = int(sys.argv[1])
for market in (bar_market(2, 3_000, 6, "1m", daily_range=0.002), trade_market(2, 900, 6, 7)):
    told = recorded(market, symbols=2)
    carried = line(told, lively())
    for fact in told.facts(chunk):
        carried.chain.push(fact)
    assert carried.tap.digest.count, "nothing was decided"
late = [one.__name__ for one in kernels.KERNELS if len(one.signatures) > before.get(id(one), 0)]
sys.exit(f"compiled or loaded after warm-up: {late}" if late else 0)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", [7, 65_536])
def test_nothing_is_compiled_after_warm_up(chunk: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(chunk)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )

    assert (done.returncode, done.stderr) == (0, "")
