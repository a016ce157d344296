"""Time of one verdict with a hundred groups open: `python -m tests.risk.measure_gate`."""

from statistics import median, quantiles
from time import perf_counter_ns

from engine.messages import Intent
from engine.risk.gate import RiskGate
from tests.makers import bars
from tests.risk.facts import accepted, enter, fill, gate, leave, tell

GROUPS = 100
ROUNDS = 3_000
SYMBOLS = tuple(f"S{number:03d}" for number in range(GROUPS))


def group(number: int) -> str:
    return f"{SYMBOLS[number]}-2020-01-01/SPRING/1"


def held(count: int) -> RiskGate:
    """A rich account, so that heat refuses nothing."""
    stage = gate(*SYMBOLS, cash=100_000_000)
    for number in range(count):
        name = group(number)
        tell(stage, enter(name, risk_bp="0.5"), accepted("STOP1", name), fill(quantity=250, group=name, remaining=250))
    return stage


def measure(stage: RiskGate, intents: list[Intent], *, moved: bool) -> list[int]:
    times = []
    for round_, intent in enumerate(intents):
        if moved:
            price = 100 + round_ % 7
            tell(stage, bars(*[(price,) * 4] * GROUPS, instrument=list(range(GROUPS)), timeframe="1m"))
        started = perf_counter_ns()
        for _ in stage.process(intent):
            pass
        times.append(perf_counter_ns() - started)
    return times


def report(name: str, times: list[int]) -> None:
    print(f"{name}: median {median(times) / 1000:.1f} us, p99 {quantiles(times, n=100)[-1] / 1000:.1f} us")


def main() -> None:
    stage = held(GROUPS - 1)
    refused = [enter(group(0), risk_bp="0.5")] * ROUNDS
    late = [enter(group(GROUPS - 1), stop_price="99.50", risk_bp=150)] * ROUNDS
    report("entry refused by an early rule, marks at rest", measure(stage, refused, moved=False))
    report("entry refused by a late rule, marks at rest", measure(stage, late, moved=False))
    report("entry refused, every mark moved", measure(stage, late, moved=True))
    entries = []
    for number in range(ROUNDS):
        symbol = SYMBOLS[number % GROUPS]
        entries.append(enter(f"{symbol}-2020-01-02/SPRING/{number}", risk_bp="0.001", symbol=symbol))
    report("entry approved or refused by count, marks at rest", measure(stage, entries, moved=False))
    report("exit, marks at rest", measure(held(GROUPS), [leave(n, group(5)) for n in range(1, ROUNDS)], moved=False))


if __name__ == "__main__":
    main()
