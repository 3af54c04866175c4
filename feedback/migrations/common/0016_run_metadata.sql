-- Metadata of runs with feedback, as far as its names are declared (AGENT_SERVER_FEEDBACK_RUN_METADATA), to filter by.
CREATE TABLE feedback_run_metadata (
    project TEXT NOT NULL,
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (project, run_id, name)
);
CREATE INDEX feedback_run_metadata_by_value ON feedback_run_metadata (project, name, value, run_id);
