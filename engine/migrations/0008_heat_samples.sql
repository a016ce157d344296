-- Heat over line time: at most a point a minute, where it has changed, in basis points of equity rounded up.

CREATE TABLE heat_samples (
    run INTEGER NOT NULL, item INTEGER NOT NULL,
    time_ns INTEGER NOT NULL, heat_bp INTEGER NOT NULL,
    PRIMARY KEY (run, time_ns)
) WITHOUT ROWID;
