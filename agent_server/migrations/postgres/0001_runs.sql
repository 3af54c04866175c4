-- Times are microseconds since 1970; JSON is TEXT; booleans are 0 and 1.

CREATE TABLE assistants (
    assistant_id TEXT PRIMARY KEY,
    graph_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    config TEXT NOT NULL,
    context TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What each assistant was at each of its versions.
CREATE TABLE assistant_versions (
    assistant_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    graph_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    config TEXT NOT NULL,
    context TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (assistant_id, version)
);

CREATE TABLE threads (
    thread_id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    metadata TEXT NOT NULL,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    interrupts TEXT NOT NULL,
    error TEXT NOT NULL,
    temporary INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    state_updated_at BIGINT NOT NULL,
    ttl_strategy TEXT,
    ttl_minutes DOUBLE PRECISION,
    expires_at BIGINT
);

CREATE INDEX threads_by_created_at ON threads (created_at) WHERE temporary = 0;
CREATE INDEX threads_by_expires_at ON threads (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL,
    assistant_id TEXT NOT NULL,
    assistant_version INTEGER NOT NULL,
    graph_id TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT NOT NULL,
    kwargs TEXT NOT NULL,
    multitask_strategy TEXT NOT NULL,
    temporary INTEGER NOT NULL,
    base_url TEXT NOT NULL,
    start_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    rescues INTEGER NOT NULL,
    lease_token TEXT,
    lease_until BIGINT,
    cancel TEXT,
    output TEXT,
    error TEXT
);

-- One run at a time on a thread, whatever the claims in flight.
CREATE UNIQUE INDEX runs_running_on_thread ON runs (thread_id) WHERE status = 'running';
-- What a claim reads, in the order in which it takes.
CREATE INDEX runs_pending ON runs (start_at, run_id) WHERE status = 'pending';
CREATE INDEX runs_leases ON runs (lease_until) WHERE status = 'running';
CREATE INDEX runs_of_thread ON runs (thread_id, created_at);
CREATE INDEX assistants_metadata ON assistants USING gin ((metadata::jsonb) jsonb_path_ops);
CREATE INDEX threads_metadata ON threads USING gin ((metadata::jsonb) jsonb_path_ops);
