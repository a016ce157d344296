"""After warm-up nothing is compiled: a compile in the middle of a session would stall its loop for seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from decimal import Decimal
from engine import kernels
from engine.live.kernels import warm
from engine.messages import ExternalOrder, Side
from tests.lines import config, line, lively, recorded
from tests.markets import bar_market, trade_market

warm(lively())
before = {id(one): len(one.signatures) for one in kernels.KERNELS}
chunk = int(sys.argv[1])
for market in (bar_market(2, 3_000, 6, "1m", daily_range=0.002), trade_market(2, 900, 6, 7)):
    told = recorded(market, symbols=2)
    decides, watches = line(told, lively()), line(told, config(run={"strategies": []}))
    watches.chain.push(ExternalOrder(1, "1", "S000", Side.BUY, Decimal(1), Decimal(1)))
    for carried in (decides, watches):
        for fact in told.facts(chunk):
            carried.chain.push(fact)
    assert decides.tap.digest.count, "nothing was decided"
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
