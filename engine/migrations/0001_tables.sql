-- The read model. `item` numbers the messages that left the line in one run, from 1, stored or
-- not; `part` counts inside one message. Money is text (exact decimals), risks and equity in
-- 1e-8 account units are text too (they may exceed 64 bits), kernel numbers are REAL and NULL
-- where they were NaN. Times are nanoseconds since the epoch, UTC.

CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    mode TEXT NOT NULL,
    build_hash TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    started_ns INTEGER NOT NULL,
    ended_ns INTEGER,            -- line time at the end; NULL while it runs or when it crashed
    digest TEXT,
    counts TEXT,                 -- JSON
    dropped INTEGER NOT NULL DEFAULT 0  -- messages that are missing here; rebuild from the tape
);

CREATE TABLE events (
    run INTEGER NOT NULL, item INTEGER NOT NULL, part INTEGER NOT NULL,
    event_id TEXT NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL, direction INTEGER NOT NULL,
    kind TEXT NOT NULL, event_ns INTEGER NOT NULL, confirm_ns INTEGER NOT NULL, known_ns INTEGER NOT NULL,
    price REAL, score REAL, phase TEXT NOT NULL, support REAL, resistance REAL,
    range_start_ns INTEGER NOT NULL, range_bars INTEGER NOT NULL, variant INTEGER NOT NULL,
    high REAL, low REAL, close REAL, atr REAL, volume_ratio REAL, spread_ratio REAL, close_position REAL,
    supersedes TEXT NOT NULL,
    PRIMARY KEY (run, item, part)
) WITHOUT ROWID;

CREATE TABLE phase_changes (
    run INTEGER NOT NULL, item INTEGER NOT NULL, part INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, decision_ns INTEGER NOT NULL,
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, direction INTEGER NOT NULL,
    previous TEXT NOT NULL, phase TEXT NOT NULL, confidence REAL, support REAL, resistance REAL,
    range_start_ns INTEGER NOT NULL,
    PRIMARY KEY (run, item, part)
) WITHOUT ROWID;

CREATE TABLE campaign_changes (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    campaign TEXT NOT NULL, number INTEGER NOT NULL, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    previous TEXT NOT NULL, state TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE intents (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    intent_id TEXT NOT NULL, action TEXT NOT NULL, campaign TEXT NOT NULL, leg TEXT NOT NULL, "group" TEXT NOT NULL,
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, direction INTEGER NOT NULL, decision_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL, entry_kind TEXT NOT NULL, entry_price TEXT NOT NULL, limit_price TEXT NOT NULL,
    stop_price TEXT NOT NULL, target_1 TEXT NOT NULL, target_2 TEXT NOT NULL, target_3 TEXT NOT NULL,
    risk_bp TEXT NOT NULL, score REAL, reason TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE verdicts (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    intent_id TEXT NOT NULL, campaign TEXT NOT NULL, symbol TEXT NOT NULL, decision_ns INTEGER NOT NULL,
    verdict TEXT NOT NULL,       -- Approved or Refused
    stage TEXT NOT NULL,
    code TEXT NOT NULL, value TEXT NOT NULL, "limit" TEXT NOT NULL, margin TEXT NOT NULL, equity TEXT NOT NULL,
    open_risk TEXT NOT NULL, working_risk TEXT NOT NULL, new_risk TEXT NOT NULL, campaign_risk TEXT NOT NULL,
    limit_bp TEXT NOT NULL, unit_risk TEXT NOT NULL, quantity TEXT NOT NULL, mark TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE orders (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    order_id TEXT NOT NULL, campaign TEXT NOT NULL, "group" TEXT NOT NULL, role TEXT NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, kind TEXT NOT NULL, quantity TEXT NOT NULL, limit_price TEXT NOT NULL,
    stop_price TEXT NOT NULL, time_in_force TEXT NOT NULL, expires_ns INTEGER NOT NULL, parent TEXT NOT NULL,
    replaces TEXT NOT NULL, decision_ns INTEGER NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE cancel_requests (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    order_id TEXT NOT NULL, symbol TEXT NOT NULL, decision_ns INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

-- What the venue said. NULL where this kind of report has no such field.
CREATE TABLE executions (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    report TEXT NOT NULL,        -- Accepted, Rejected, Fill, Cancelled or Expired
    time_ns INTEGER NOT NULL, order_id TEXT NOT NULL, symbol TEXT NOT NULL, sequence INTEGER NOT NULL,
    venue_id TEXT, code TEXT, reason TEXT, filled TEXT,
    execution_id TEXT, side TEXT, role TEXT, "group" TEXT, quantity TEXT, price TEXT, costs TEXT, remaining TEXT,
    simulated INTEGER,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE heat (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, previous TEXT NOT NULL, state TEXT NOT NULL, heat_bp INTEGER NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;
