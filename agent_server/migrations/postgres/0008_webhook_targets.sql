-- Several webhooks of one run: the targets that clients add to a run, by their ids, and a row in the outbox for each.

ALTER TABLE runs ADD COLUMN webhook_targets TEXT;

ALTER TABLE webhooks ADD COLUMN target TEXT NOT NULL DEFAULT '';

ALTER TABLE webhooks DROP CONSTRAINT webhooks_pkey;

ALTER TABLE webhooks ADD PRIMARY KEY (run_id, target);
