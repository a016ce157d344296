-- Bars of the timeframes on which structure is looked for, a run of consecutive bars a row: the columns that
-- `engine.store_bars` packs. `item` is 0: recovery replaces what it tells again by its first bar.

CREATE TABLE bars (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL,
    first_open_ns INTEGER NOT NULL, last_open_ns INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (run, symbol, timeframe, first_open_ns)
);

ALTER TABLE sessions ADD COLUMN trades_from_ns INTEGER NOT NULL DEFAULT -9223372036854775808;
