-- next_run_date is null where the cron will not fire any more (its end is before its next time).
CREATE TABLE crons (
    cron_id TEXT PRIMARY KEY,
    assistant_id TEXT NOT NULL,
    thread_id TEXT,
    user_id TEXT,
    schedule TEXT NOT NULL,
    timezone TEXT,
    end_time INTEGER,
    enabled INTEGER NOT NULL,
    payload TEXT NOT NULL,
    metadata TEXT NOT NULL,
    on_run_completed TEXT,
    base_url TEXT NOT NULL,
    next_run_date INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- What the look for due crons reads, every second in every process.
CREATE INDEX crons_due ON crons (next_run_date, cron_id) WHERE enabled = 1;
CREATE INDEX crons_by_created_at ON crons (created_at);
CREATE INDEX crons_of_thread ON crons (thread_id);
