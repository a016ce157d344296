-- What spoke against an entry without refusing it, loss halts, and alerts of heat. `margin` is
-- limit - value; `missed_by` as in `declines`, >= 0.

ALTER TABLE declines ADD COLUMN stage TEXT;
ALTER TABLE declines ADD COLUMN margin REAL;
ALTER TABLE heat ADD COLUMN alert INTEGER;

CREATE TABLE warnings (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, campaign TEXT NOT NULL, symbol TEXT NOT NULL, subject TEXT NOT NULL,
    source TEXT NOT NULL, stage TEXT NOT NULL, code TEXT NOT NULL, value REAL, "limit" REAL, margin REAL,
    missed_by REAL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

-- Equities in 1e-8 account units, as text.
CREATE TABLE halts (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, code TEXT NOT NULL, halted INTEGER NOT NULL, loss_bp INTEGER NOT NULL,
    limit_bp INTEGER NOT NULL, equity TEXT NOT NULL, reference TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;

CREATE INDEX warnings_by_campaign ON warnings (run, campaign);
