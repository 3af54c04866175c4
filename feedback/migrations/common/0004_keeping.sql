-- For how many days the answers of a key are kept; the empty key stands for all that have no row of their own.
CREATE TABLE feedback_retention (
    key TEXT PRIMARY KEY,
    days INTEGER NOT NULL
);
CREATE INDEX feedback_key_time ON feedback (key, created_at, id);
CREATE INDEX feedback_modified ON feedback (modified_at, id);
CREATE INDEX feedback_history_modified ON feedback_history (modified_at, sequence);

-- Who is told of every change. The secrets that the messages are signed with are not here.
CREATE TABLE feedback_webhook (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    disabled_at BIGINT
);

-- Messages on their way: written with the change they tell of, gone when they were taken or given up.
CREATE TABLE feedback_outbox (
    id TEXT NOT NULL,
    webhook TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    lease TEXT,
    leased_until BIGINT NOT NULL,
    given_up_at BIGINT,
    error TEXT,
    PRIMARY KEY (id, webhook)
);
CREATE INDEX feedback_outbox_due ON feedback_outbox (due_at) WHERE given_up_at IS NULL;
CREATE INDEX feedback_outbox_answer ON feedback_outbox (feedback_id);
