-- What LangSmith's clients create beside feedback: datasets, their examples, annotation queues and the runs in these.
-- `parent` is the dataset of an example, or the queue of a run; `name` is unique in it; `body` is a JSON object.
CREATE TABLE feedback_resource (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX feedback_resource_by_name ON feedback_resource (project, kind, parent, name);
CREATE INDEX feedback_resource_by_time ON feedback_resource (project, kind, parent, created_at, id);
