-- Changes of threads' states from outside, for the streams of the threads; kept for an hour.
CREATE TABLE state_updates (
    update_id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE INDEX state_updates_of_thread ON state_updates (thread_id, made_at);
CREATE INDEX state_updates_by_made_at ON state_updates (made_at);
