-- Several webhooks of one run: the targets that clients add to a run, by their ids, and a row in the outbox for each.

ALTER TABLE runs ADD COLUMN webhook_targets TEXT;

CREATE TABLE webhooks_by_target (
    run_id TEXT NOT NULL,
    target TEXT NOT NULL,
    url TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, target)
) STRICT;

INSERT INTO webhooks_by_target SELECT run_id, '', url, payload, attempts, due_at FROM webhooks;

DROP TABLE webhooks;

ALTER TABLE webhooks_by_target RENAME TO webhooks;

CREATE INDEX webhooks_due ON webhooks (due_at);
