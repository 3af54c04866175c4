-- What a key's answers may be, for every answer without a configuration of its own. A key has at most two that count:
-- its first, and the one that is enforced. All of a key's rows have the key's one direction.
CREATE TABLE feedback_config (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    config TEXT NOT NULL,
    is_lower_score_better INTEGER NOT NULL,
    is_enforced INTEGER NOT NULL,
    is_first INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX feedback_config_key ON feedback_config (key, created_at, id);
CREATE UNIQUE INDEX feedback_config_first ON feedback_config (key) WHERE deleted_at IS NULL AND is_first = 1;
CREATE UNIQUE INDEX feedback_config_enforced ON feedback_config (key) WHERE deleted_at IS NULL AND is_enforced = 1;

-- How many answers stand that came through each URL of a grant with `max_uses`.
CREATE TABLE feedback_use (
    grant_id BIGINT NOT NULL,
    place INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    PRIMARY KEY (grant_id, place)
);

-- Sealed tokens have no row; here is which of them were taken back: a run's, or all that a ring key sealed until then.
CREATE TABLE feedback_denial (
    id TEXT PRIMARY KEY,
    run_id TEXT,
    ring_key INTEGER,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX feedback_denial_run ON feedback_denial (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX feedback_denial_ring ON feedback_denial (ring_key) WHERE ring_key IS NOT NULL;

-- One-time tokens that were spent. A row is needed for as long as the token would open.
CREATE TABLE feedback_spent (
    nonce TEXT PRIMARY KEY,
    feedback_id TEXT NOT NULL,
    idempotency TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX feedback_spent_expiry ON feedback_spent (expires_at);

-- One-time tokens that were asked for with an Idempotency-Key: what it takes to seal the same one again.
CREATE TABLE feedback_minted (
    idempotency TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    ring_key INTEGER NOT NULL,
    body TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX feedback_minted_expiry ON feedback_minted (expires_at);

-- What a team has made of an answer.
CREATE TABLE feedback_annotation (
    feedback_id TEXT PRIMARY KEY,
    annotation TEXT NOT NULL,
    comment TEXT,
    annotated_at BIGINT NOT NULL
);
