-- The outbox: what is to be told of runs that have ended, until somebody has taken it.

CREATE TABLE webhooks (
    run_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX webhooks_due ON webhooks (due_at);
