-- What a second answer of the same subject to the same run and key does: `replace`, `append` or `first`. All of a key's
-- rows have the key's one policy.
ALTER TABLE feedback_config ADD COLUMN subject_policy TEXT NOT NULL DEFAULT 'replace';

-- Answers that were kept under `append` stand beside others of their subject; of all others a subject has one.
ALTER TABLE feedback ADD COLUMN adds_up INTEGER NOT NULL DEFAULT 0;
DROP INDEX feedback_subject;
CREATE UNIQUE INDEX feedback_subject ON feedback (run_id, key, subject) WHERE subject IS NOT NULL AND adds_up = 0;
CREATE INDEX feedback_subject_added ON feedback (run_id, key, subject, created_at, id)
    WHERE subject IS NOT NULL AND adds_up = 1;
