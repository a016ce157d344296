-- What a page about a run needs besides its messages: what was asked for, what it came to, how far
-- the bars of each chart go, and the bars that are worth a look.

-- `command` reproduces the run, `summary` is JSON, `bars_left_out` counts those that none of the others know.
CREATE TABLE outcomes (
    run INTEGER PRIMARY KEY, command TEXT NOT NULL, summary TEXT NOT NULL, bars_left_out INTEGER NOT NULL
);

CREATE TABLE bar_spans (
    run INTEGER NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL,
    bars INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (run, symbol, timeframe)
) WITHOUT ROWID;

-- Part 0 is the whole of a chart, the others stretches of it. `candles` are compressed columns of
-- `per_candle` bars each.
CREATE TABLE candles (
    run INTEGER NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL, part INTEGER NOT NULL,
    subject TEXT NOT NULL, per_candle INTEGER NOT NULL, candles BLOB NOT NULL,
    PRIMARY KEY (run, symbol, timeframe, part)
) WITHOUT ROWID;
