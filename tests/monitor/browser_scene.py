"""A busy hour as a monitor's server would tell it: bars with phases, marks, campaigns, heat, refusals.

Invented, and the same each time: an accumulation in five phases drawn from a seed, with what an engine
says of it in the words of the server's own answers.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MINUTE_MS = 60_000
START_MS = 1_793_600_000_000 // (5 * MINUTE_MS) * (5 * MINUTE_MS)
HOSTILE = '<img src=x onerror="window.owned=1">'
COLUMNS = [
    "open_ms",
    "close_ms",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "phase",
    "direction",
    "confidence",
    "source",
    "gap_ms",
]
HEAT = {"heat_bp": 959, "state": "CRITICAL", "warning_bp": 700, "critical_bp": 900, "limit_bp": 1000}
# Share of the bars, path of the middle (of the range's height, 0 = ice, 1 = creek), volume, phase.
ACTS = (
    (0.10, 1.9, 1.2, 1.0, "NONE"),
    (0.08, 1.2, -0.05, 2.6, "A"),
    (0.05, -0.05, 1.0, 1.5, "A"),
    (0.08, 1.0, 0.12, 1.0, "A"),
    (0.11, 0.12, 0.9, 0.7, "B"),
    (0.11, 0.9, 0.2, 0.7, "B"),
    (0.10, 0.2, 0.75, 0.6, "B"),
    (0.07, 0.75, -0.16, 0.9, "C"),
    (0.05, -0.16, 0.45, 1.1, "C"),
    (0.06, 0.45, 0.15, 0.5, "C"),
    (0.07, 0.15, 1.32, 1.9, "D"),
    (0.05, 1.32, 1.04, 0.6, "D"),
    (0.07, 1.04, 2.1, 1.3, "E"),
)
# After which act (its last bar) what was seen, its side of the bar and its score.
SEEN = (
    (1, "SC", "low", 81),
    (2, "AR", "high", 74),
    (3, "ST", "low", 69),
    (4, "UT", "high", 52),
    (5, "ST", "low", 63),
    (7, "SPRING", "low", 86),
    (9, "TEST", "low", 77),
    (10, "SOS", "high", 83),
    (11, "LPS", "low", 79),
)


@dataclass(slots=True)
class Chart:
    """Of one symbol and timeframe."""

    symbol: str
    timeframe: str
    rows: list[list[Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[dict[str, Any]] = field(default_factory=list)


def chart(symbol: str, timeframe: str = "5m", *, base: float, width: float, count: int = 900, seed: int = 7) -> Chart:
    chance = random.Random(f"{symbol}{seed}")
    found, step_ms = Chart(symbol, timeframe), 5 * MINUTE_MS
    close, ends = base + width * ACTS[0][1], []
    for share, start, end, volume, phase in ACTS:
        length = round(share * count)
        for at in range(length):
            middle = base + width * (start + (end - start) * (at + 1) / length)
            opened, close = close, middle + chance.gauss(0, width * 0.055)
            high = max(opened, close) + abs(chance.gauss(0, width * 0.045))
            low = min(opened, close) - abs(chance.gauss(0, width * 0.045))
            open_ms = START_MS + len(found.rows) * step_ms
            traded = volume * chance.uniform(60, 140) * (1 + 2 * abs(close - opened) / width)
            confidence = None if phase == "NONE" else chance.randint(61, 88)
            found.rows.append(
                [
                    open_ms,
                    open_ms + step_ms,
                    round(opened, 2),
                    round(high, 2),
                    round(low, 2),
                    round(close, 2),
                    round(traded, 2),
                    phase,
                    0 if phase == "NONE" else 1,
                    confidence,
                    1,
                    0,
                ]
            )
        ends.append(len(found.rows) - 1)
    _see(found, ends, base, width)
    return found


def _see(found: Chart, ends: list[int], base: float, width: float) -> None:
    start_ms = found.rows[ends[0]][0]
    for number, (act, name, side, score) in enumerate(SEEN):
        near = range(max(0, ends[act] - 6), min(len(found.rows), ends[act] + 4))
        at = min(near, key=lambda j: found.rows[j][4]) if side == "low" else max(near, key=lambda j: found.rows[j][3])
        later = min(len(found.rows) - 1, at + 4)
        found.events.append(
            {
                "event_id": f"{found.symbol}-{number}",
                "symbol": found.symbol,
                "timeframe": found.timeframe,
                "direction": 1,
                "kind": name,
                "name": name,
                "event_ms": found.rows[at][0],
                "confirm_ms": found.rows[later][0],
                "known_ms": found.rows[later][1],
                "price": found.rows[at][4 if side == "low" else 3],
                "score": score,
                "confidence": score,
                "phase": found.rows[at][7],
                "support": base,
                "resistance": base + width,
                "range_start_ms": start_ms,
                "variant": "",
                "supersedes": "",
                "follows": "",
                "origin": None,
                "objective": base + 2.4 * width,
                "volume_ratio": 1.7,
                "spread_ratio": 1.2,
                "close_position": 0.7,
                "parts": [],
            }
        )
    found.ranges.append(
        {
            "symbol": found.symbol,
            "timeframe": found.timeframe,
            "direction": 1,
            "start_ms": start_ms,
            "end_ms": found.events[-1]["confirm_ms"],
            "support": base,
            "resistance": base + width,
            "phase": "E",
            "events": len(SEEN),
            "quality": 78,
            "origin": None,
            "objective": base + 2.4 * width,
        }
    )


def legs(*filled_bp: float) -> list[dict[str, Any]]:
    names, planned = ("SPRING", "SOS", "LPS"), (40, 30, 30)
    return [
        {
            "leg": name,
            "attempts": int(bp > 0),
            "planned_percent": str(share),
            "filled_percent": str(bp / 5),
            "asked_bp": str(bp),
            "filled_bp": str(bp),
        }
        for name, share, bp in zip(names, planned, filled_bp, strict=True)
    ]


def campaign(name: str, state: str, filled_bp: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    symbol, day = name.rsplit("-", 3)[0], "-".join(name.rsplit("-", 3)[1:])
    row = {
        "campaign": name,
        "symbol": symbol,
        "timeframe": "5m",
        "direction": 1,
        "state": state,
        "opened": f"{day}T04:10:00Z",
        "closed": None,
        "legs": legs(*filled_bp),
        "open_quantity": "0",
        "risk": "0",
        "pnl": "0",
        "r": None,
        "cause": "",
        "last_exit": "",
        "heat_bp": None,
        "unrealised": None,
        "average_price": None,
        "stop": None,
        "targets": [],
        "next_event": None,
        "phase": None,
    }
    return row | more


def campaigns() -> list[dict[str, Any]]:
    return [
        campaign(
            "BTC-USD-2026-11-01",
            "MARKUP",
            (200, 150, 0),
            phase="E",
            open_quantity="0.62",
            risk="3480.20",
            r="1.84",
            heat_bp=212,
            unrealised="4121.55",
            average_price="66214.5",
            stop="65980.0",
            targets=["69800", "71200", "74000"],
            next_event="LPS",
            pnl="812.40",
        ),
        campaign(
            "ETH-USD-2026-11-01",
            "ACTIVE",
            (0, 331, 0),
            phase="D",
            open_quantity="12.4",
            risk="3310",
            r="0.42",
            heat_bp=331,
            unrealised="1204.10",
            average_price="3412.20",
            stop="3338.50",
            targets=["3590", "3710"],
            next_event="LPS",
        ),
        campaign(
            "SOL-USD-2026-11-02",
            "ACTIVE",
            (98, 0, 0),
            phase="C",
            open_quantity="310",
            risk="980",
            r="-0.31",
            heat_bp=98,
            unrealised="-301.40",
            average_price="171.42",
            stop="168.26",
            targets=["184.5"],
            next_event="SOS",
        ),
        campaign(
            "LINK-USD-2026-10-31",
            "ACTIVE",
            (120, 0, 95),
            direction=-1,
            phase="E",
            open_quantity="840",
            risk="2150",
            r="0.95",
            heat_bp=318,
            unrealised="2010.00",
            average_price="18.421",
            stop="18.977",
            targets=["16.9"],
            next_event="exit",
        ),
        campaign("AAPL-2026-11-02", "FORMING", (0, 0, 0), phase="B", next_event="SPRING"),
        campaign(
            "EUR/USD-2026-10-30",
            "COMPLETED",
            (200, 140, 90),
            r="2.10",
            pnl="8211.00",
            closed="2026-11-01T22:00:00Z",
            last_exit="target 3",
            phase=None,
        ),
        campaign(
            "MSFT-2026-10-29",
            "INVALIDATED",
            (180, 0, 0),
            r="-1.00",
            pnl="-1800.00",
            closed="2026-11-01T18:00:00Z",
            last_exit="stop",
        ),
    ]


def iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def status(now_ms: int, **more: Any) -> dict[str, Any]:
    feeds = [
        {
            "name": "binance",
            "kind": "binance",
            "simulated": False,
            "status": "LIVE",
            "reason": "filled",
            "channel": "trades",
            "age_s": 0.4,
            "limit_s": 15,
            "rows": 1_284_113,
            "gaps": 0,
            "reconnects": 2,
            "withheld": 14,
            "conflated": 31,
            "sequence_breaks": 1,
            "clock_skew_s": 0.12,
        },
        {
            "name": "alpaca-iex",
            "kind": "alpaca",
            "simulated": False,
            "status": "STALE",
            "reason": "AAPL: silent for 64 s",
            "channel": "trades",
            "age_s": 64.2,
            "limit_s": 15,
            "rows": 88_213,
            "gaps": 1,
            "reconnects": 5,
            "withheld": 0,
            "conflated": 0,
            "sequence_breaks": 0,
            "clock_skew_s": None,
        },
    ]
    orders = [
        order("BTC-USD-2026-11-01/LPS/1", "BTC-USD", "BTC-USD-2026-11-01", "ENTRY", "0.21"),
        order("ETH-USD-2026-11-01/SOS/1/S", "ETH-USD", "ETH-USD-2026-11-01", "STOP", "12.4"),
        order("SOL-USD-2026-11-02/SPRING/1/S", "SOL-USD", "SOL-USD-2026-11-02", "STOP", "310"),
    ]
    return {
        "version": 1,
        "mode": "paper",
        "feed_is_simulated": False,
        "venue": "paper",
        "venue_is_simulated": True,
        "account": "PA3X81KQ7",
        "state": "RUNNING",
        "blockers": [{"code": "feed_stale", "text": "feed alpaca-iex: no trades for 64 s, limit 15 s"}],
        "kill_level": "",
        "kill_reason": "",
        "paused_by": "",
        "heat": HEAT | {"candidates": candidates()},
        "currency": "USD",
        "equity": "104812.22",
        "cash": "61002.10",
        "day": {
            "pnl": "1284.31",
            "realised": "812.40",
            "unrealised": "471.91",
            "costs": "61.20",
            "entries": 4,
            "exits": 2,
            "refused": 3,
        },
        "feeds": feeds,
        "warmups": [],
        "warmups_left": 0,
        "positions": [],
        "position_count": 4,
        "orders": orders,
        "order_count": 3,
        "campaigns": 5,
        "tape": {
            "path": "/var/lib/wyckoff/paper/tape.sqlite",
            "sequence": 1_372_411,
            "rows": 1_372_000,
            "lag_s": 0.02,
            "size_bytes": 88_213_441,
        },
        "loop": {
            "lag_s": 0.0021,
            "stalls": 0,
            "waiting_control": 0,
            "waiting_market": 2,
            "rss_mb": 211,
            "rss_limit_mb": 1024,
        },
        "line_time": iso(now_ms),
        "started": "2026-11-01T04:00:00Z",
        "uptime_s": (now_ms - START_MS) / 1000,
        "pid": 4211,
        "release": "0.1.0",
        "build_hash": "9f31c2",
        "config_hash": "77ab02",
        "digest": "c0ffee12",
    } | more


def order(name: str, symbol: str, campaign: str, role: str, quantity: str) -> dict[str, Any]:
    return {
        "order_id": name,
        "symbol": symbol,
        "campaign": campaign,
        "role": role,
        "side": "BUY" if role == "ENTRY" else "SELL",
        "kind": "LIMIT" if role == "ENTRY" else "STOP",
        "quantity": quantity,
        "filled": "0",
        "limit_price": "65610" if role == "ENTRY" else None,
        "stop_price": None,
        "state": "WORKING",
    }


def decision(number: int, time_ms: int, symbol: str, leg: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "item": 0,
        "intent_id": f"i{number}",
        "action": "ENTER",
        "campaign": f"{symbol}-2026-11-01",
        "leg": leg,
        "symbol": symbol,
        "timeframe": "5m",
        "direction": 1,
        "time_ms": time_ms,
        "entry_kind": "STOP",
        "entry_price": "66210.5",
        "limit_price": "66260.0",
        "stop_price": "65410.0",
        "targets": [],
        "risk_bp": 110,
        "score": 83,
        "reason": "",
        "verdict": verdict,
        "stage": "gate",
        "code": "",
        "value": "",
        "limit": "",
        "missed_by": None,
        "heat_before_bp": 849,
        "heat_after_bp": 959,
        "limit_bp": 1000,
        "quantity": "0.21",
    } | more


def decisions(now_ms: int) -> list[dict[str, Any]]:
    told = (
        (170, "BTC-USD", "SPRING", "Approved", {"heat_before_bp": 210, "risk_bp": 50}),
        (121, "SOL-USD", "SPRING", "Approved", {"heat_before_bp": 260, "risk_bp": 50, "quantity": "310"}),
        (96, "ETH-USD", "SOS", "Approved", {"heat_before_bp": 310, "risk_bp": 80, "quantity": "12.4"}),
        (62, "MSFT", "LPS", "Refused", {"code": "R_TOO_LOW", "value": "1.9", "limit": "2.5"}),
        (31, "BTC-USD", "SOS", "Approved", {}),
        (12, "AAPL", "SPRING", "Refused", {"code": "FEED_STALE", "value": "64 s", "limit": "15 s"}),
        (
            4,
            "LINK-USD",
            "LPS",
            "Refused",
            {"code": "HEAT_LIMIT", "direction": -1, "text": "heat 9.60 % + 1.10 % >= 10.00 %"},
        ),
    )
    return [
        decision(number, now_ms - ago * MINUTE_MS, symbol, leg, verdict, **more)
        for number, (ago, symbol, leg, verdict, more) in enumerate(told, 1)
    ]


def alerts(now_ms: int) -> list[dict[str, Any]]:
    told = (
        (190, "info", "start", "Paper session started"),
        (44, "warning", "heat", "Heat rose to 7.2 %: warning"),
        (18, "warning", "heat", "Heat rose to 9.1 %: critical"),
        (1, "critical", "feed_stale", "Feed alpaca-iex is stale: AAPL silent for 64 s"),
    )
    return [
        {"time_ms": now_ms - ago * MINUTE_MS, "level": level, "code": code, "text": text}
        for ago, level, code, text in told
    ]


def queues() -> dict[str, Any]:
    lanes = (
        ("inbox.control", 0, 1000, 3, 0),
        ("inbox.market", 2, 8192, 411, 0),
        ("tape.writer", 12, 4096, 903, 0),
        ("monitor.stream", 0, 2048, 64, 3),
    )
    spans = (("aggregator", 12.4, 88.0), ("detector", 41.2, 310.5), ("market", 8.1, 61.0), ("gate", 15.9, 120.2))
    return {
        "items": [{"stage": a, "depth": b, "capacity": c, "high_water": d, "dropped": e} for a, b, c, d, e in lanes],
        "loop_lag_s": 0.0021,
        "stages": [{"stage": a, "items": 1_284_113, "p50_us": b, "p99_us": c} for a, b, c in spans],
    }


def groups() -> list[dict[str, Any]]:
    names = ("BTC-USD", "ETH-USD")
    held = [f"{name}-2026-11-01" for name in names]
    return [{"symbols": names, "campaigns": held, "risk": "5430", "heat_bp": "543", "correlation": 0.83}]


def candidates() -> list[dict[str, Any]]:
    told = (("SOL-USD", "2026-11-02", "SOS", "40.0", 999), ("BTC-USD", "2026-11-01", "LPS", "70.0", 1029))
    return [
        {
            "campaign": f"{symbol}-{day}",
            "symbol": symbol,
            "direction": 1,
            "leg": leg,
            "risk_bp": risk_bp,
            "projected_bp": projected_bp,
            "limit_bp": 1000,
            "passes": projected_bp < 1000,
        }
        for symbol, day, leg, risk_bp, projected_bp in told
    ]


def phases(charts: Iterable[Chart]) -> list[dict[str, Any]]:
    told = zip(charts, (("E", 1, 81.0), ("D", 1, 74.0), ("C", -1, 66.0)), strict=False)
    return [
        {
            "symbol": chart.symbol,
            "timeframe": "5m",
            "direction": direction,
            "previous": "B",
            "phase": phase,
            "confidence": confidence,
            "support": 1.0,
            "resistance": 2.0,
            "range_start_ms": chart.ranges[0]["start_ms"],
            "time_ms": START_MS,
            "known_ms": START_MS,
        }
        for chart, (phase, direction, confidence) in told
    ]


def lines(now_ms: int) -> list[dict[str, Any]]:
    told = (
        (190, "info", "session_begins", {"mode": "paper"}),
        (1, "warning", "feed_stale", {"feed": "alpaca-iex", "silent_s": 64}),
    )
    return [
        {"time": iso(now_ms - ago * MINUTE_MS), "level": level, "event": event, "logger": "engine.live"} | more
        for ago, level, event, more in told
    ]


def heat_series(now_ms: int) -> list[dict[str, Any]]:
    told = (
        (420, 0),
        (390, 50),
        (330, 130),
        (300, 210),
        (240, 180),
        (200, 260),
        (170, 310),
        (121, 390),
        (96, 470),
        (80, 720),
        (62, 700),
        (44, 690),
        (31, 849),
        (18, 930),
        (6, 959),
    )
    return [{"time_ms": now_ms - ago * MINUTE_MS, "heat_bp": bp} for ago, bp in told]
