-- API keys, of which only the hash is kept. A revoked key stays, so that a server that ever had keys stays closed.
CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    ending TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

-- For whom they work, as JSON, where the application's `auth` said it; shown to no client.
ALTER TABLE runs ADD COLUMN caller TEXT;
ALTER TABLE crons ADD COLUMN caller TEXT;
