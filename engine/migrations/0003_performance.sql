-- What a run came to: the session and its instruments, closed trades, the P&L curve, and every
-- refusal with how far it missed. Money is text; `missed_by` is (value - limit) / |limit|, signed
-- so that a refusal is >= 0 whichever side of the limit it asks for and an approved entry is < 0,
-- its headroom; NULL where there is no such ratio (a limit of 0, a value that is no number).

ALTER TABLE runs ADD COLUMN config TEXT;  -- JSON, NULL where it was not kept
ALTER TABLE verdicts ADD COLUMN missed_by REAL;

-- Tuples are JSON.
CREATE TABLE sessions (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, mode TEXT NOT NULL, feeds TEXT NOT NULL, timeframes TEXT NOT NULL,
    symbols TEXT NOT NULL, cash TEXT NOT NULL, currency TEXT NOT NULL, sequence INTEGER NOT NULL,
    detect_on TEXT NOT NULL, lateness_ns INTEGER NOT NULL, sessions TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE TABLE instruments (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    symbol TEXT NOT NULL, asset_class TEXT NOT NULL, tick TEXT NOT NULL, lot TEXT NOT NULL,
    point_value TEXT NOT NULL, min_notional TEXT NOT NULL, currency TEXT NOT NULL, calendar TEXT NOT NULL,
    match_on TEXT NOT NULL, allows_negative INTEGER NOT NULL, sequence INTEGER NOT NULL,
    hours TEXT NOT NULL, min_quantity TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

-- A strategy's own refusals: an event it trades did not pass one of its gates.
CREATE TABLE declines (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, campaign TEXT NOT NULL, symbol TEXT NOT NULL, event_id TEXT NOT NULL,
    strategy TEXT NOT NULL, code TEXT NOT NULL, value REAL, "limit" REAL, missed_by REAL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

-- `item` of trades and curve: how many messages had left the line before.
CREATE TABLE trades (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    symbol TEXT NOT NULL, campaign TEXT NOT NULL, leg TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL,
    entry_ns INTEGER NOT NULL, entry_price TEXT NOT NULL, exit_ns INTEGER NOT NULL, exit_price TEXT NOT NULL,
    costs TEXT NOT NULL, pnl TEXT NOT NULL, r TEXT,
    "group" TEXT NOT NULL, timeframe TEXT NOT NULL, phase TEXT NOT NULL, stop_price TEXT NOT NULL, risk TEXT NOT NULL,
    mfe TEXT, mae TEXT, mfe_r TEXT, mae_r TEXT, efficiency TEXT,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

-- Campaign '' is the account.
CREATE TABLE curve (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    campaign TEXT NOT NULL, number INTEGER NOT NULL, time_ns INTEGER NOT NULL, pnl TEXT NOT NULL,
    return_fraction TEXT NOT NULL, drawdown_fraction TEXT NOT NULL,
    PRIMARY KEY (run, item, campaign, number)
) WITHOUT ROWID;

CREATE INDEX curve_by_campaign ON curve (run, campaign, number);
CREATE INDEX trades_by_campaign ON trades (run, campaign);
CREATE INDEX intents_by_campaign ON intents (run, campaign);
CREATE INDEX verdicts_by_campaign ON verdicts (run, campaign);
CREATE INDEX declines_by_campaign ON declines (run, campaign);
CREATE INDEX executions_by_group ON executions (run, "group");
CREATE INDEX events_by_id ON events (run, event_id);
