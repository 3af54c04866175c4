-- The W3C `traceparent` of the run that an answer is about, where the run knows it: what the answer is told of as part of.
ALTER TABLE feedback ADD COLUMN trace_parent TEXT;
ALTER TABLE feedback_history ADD COLUMN trace_parent TEXT;
ALTER TABLE feedback_grant ADD COLUMN trace_parent TEXT;

-- What each alert rule has said last, of each assistant that it looks at. A change of `firing` is told once.
CREATE TABLE feedback_alert (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    assistant_id TEXT,
    firing INTEGER NOT NULL,
    changed_at BIGINT NOT NULL,
    finding TEXT NOT NULL
);
