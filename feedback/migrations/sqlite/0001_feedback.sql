-- The key ring: tokens are sealed with keys derived from these rows (and the configured secret, where there is one).
CREATE TABLE feedback_ring (
    number INTEGER PRIMARY KEY,
    material TEXT NOT NULL,
    proof TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- One row per mint call; a token is a sealed pointer to a row and to one of its keys. Numbers are never used again.
CREATE TABLE feedback_grant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    salt INTEGER NOT NULL,
    ring_key INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    feedback_keys TEXT NOT NULL,
    key_count INTEGER NOT NULL,
    configs TEXT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    max_uses INTEGER,
    revoked_at BIGINT
);
CREATE INDEX feedback_grant_run ON feedback_grant (run_id, id);

-- The current answers.
CREATE TABLE feedback (
    id TEXT PRIMARY KEY,
    run_id TEXT,
    trace_id TEXT,
    session_id TEXT,
    start_time TEXT,
    comparative_experiment_id TEXT,
    feedback_group_id TEXT,
    key TEXT NOT NULL,
    subject TEXT,
    number DOUBLE PRECISION,
    score TEXT,
    value TEXT,
    comment TEXT,
    correction TEXT,
    metadata TEXT,
    extra TEXT,
    source TEXT NOT NULL,
    grant_id BIGINT,
    grant_key INTEGER,
    idempotency TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE INDEX feedback_run ON feedback (run_id, key);
CREATE INDEX feedback_created ON feedback (created_at, id);
CREATE UNIQUE INDEX feedback_subject ON feedback (run_id, key, subject) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX feedback_idempotency ON feedback (idempotency) WHERE idempotency IS NOT NULL;

-- The versions that were replaced, updated or deleted; only ever added to.
CREATE TABLE feedback_history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    replaced_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    id TEXT NOT NULL,
    run_id TEXT,
    trace_id TEXT,
    session_id TEXT,
    start_time TEXT,
    comparative_experiment_id TEXT,
    feedback_group_id TEXT,
    key TEXT NOT NULL,
    subject TEXT,
    number DOUBLE PRECISION,
    score TEXT,
    value TEXT,
    comment TEXT,
    correction TEXT,
    metadata TEXT,
    extra TEXT,
    source TEXT NOT NULL,
    grant_id BIGINT,
    grant_key INTEGER,
    idempotency TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE INDEX feedback_history_answer ON feedback_history (id);
CREATE INDEX feedback_history_idempotency ON feedback_history (idempotency) WHERE idempotency IS NOT NULL;
