-- What an answer is about, where something knows of runs: its thread, and which version of which assistant answered.
ALTER TABLE feedback ADD COLUMN thread_id TEXT;
ALTER TABLE feedback ADD COLUMN assistant_id TEXT;
ALTER TABLE feedback ADD COLUMN assistant_version INTEGER;
CREATE INDEX feedback_thread ON feedback (thread_id, created_at, id) WHERE thread_id IS NOT NULL;
CREATE INDEX feedback_subject_time ON feedback (subject, created_at, id) WHERE subject IS NOT NULL;
-- Statistics are read from this index alone.
CREATE INDEX feedback_statistics ON feedback (key, assistant_id, assistant_version, created_at, number);

-- The same of URLs that were minted while their run was there to ask about; a stateless run is gone when it ends.
ALTER TABLE feedback_grant ADD COLUMN thread_id TEXT;
ALTER TABLE feedback_grant ADD COLUMN assistant_id TEXT;
ALTER TABLE feedback_grant ADD COLUMN assistant_version INTEGER;
CREATE INDEX feedback_grant_thread ON feedback_grant (thread_id) WHERE thread_id IS NOT NULL;

ALTER TABLE feedback_history ADD COLUMN thread_id TEXT;
ALTER TABLE feedback_history ADD COLUMN assistant_id TEXT;
ALTER TABLE feedback_history ADD COLUMN assistant_version INTEGER;
CREATE INDEX feedback_history_run ON feedback_history (run_id);
CREATE INDEX feedback_history_thread ON feedback_history (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX feedback_history_subject ON feedback_history (subject) WHERE subject IS NOT NULL;
