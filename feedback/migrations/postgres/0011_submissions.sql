-- One number that changes with everything that decides whether a submission is accepted, and as what: grants that are
-- revoked or deleted, tokens and signing keys that are revoked, configurations of keys, and webhooks. So a process may
-- keep what it has read of these for as long as the number is the same, and check that in the statement that inserts.
-- It is random, so that a restored backup never has the number of what was read before.
CREATE TABLE feedback_epoch (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number BIGINT NOT NULL
);
INSERT INTO feedback_epoch (one, number) VALUES (1, (random() * 9007199254740991)::BIGINT);

CREATE FUNCTION feedback_new_epoch() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE feedback_epoch SET number = (random() * 9007199254740991)::BIGINT;
    RETURN NULL;
END $$;
CREATE FUNCTION feedback_grants_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM gone WHERE expires_at IS NULL OR expires_at > now_us()) THEN
        UPDATE feedback_epoch SET number = (random() * 9007199254740991)::BIGINT;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER feedback_grant_changed AFTER UPDATE ON feedback_grant
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_new_epoch();
-- An expired grant accepts nothing anyway: what deletes those in bulk need not disturb what processes remember.
CREATE TRIGGER feedback_grant_deleted AFTER DELETE ON feedback_grant
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feedback_grants_deleted();
CREATE TRIGGER feedback_denial_changed AFTER INSERT OR UPDATE ON feedback_denial
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_new_epoch();
CREATE TRIGGER feedback_ring_changed AFTER UPDATE ON feedback_ring
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_new_epoch();
CREATE TRIGGER feedback_config_changed AFTER INSERT OR UPDATE OR DELETE ON feedback_config
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_new_epoch();
CREATE TRIGGER feedback_webhook_changed AFTER INSERT OR UPDATE OR DELETE ON feedback_webhook
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_new_epoch();

-- Which query needs which index of `feedback`, since each costs every submission a page of the log:
--   feedback_run           the feedback on a run; erasure of a run
--   feedback_created       lists, newest first; retention of all keys; cursors
--   feedback_key_time      lists of a key that few submissions have; retention of a key
--   feedback_place         lists of an assistant and of a version
--   feedback_thread        conversations; erasure of a thread
--   feedback_subject       one current feedback of a subject (unique); own feedback
--   feedback_subject_added the same of those that add up
--   feedback_subject_time  lists and erasure of a subject
--   feedback_idempotency   repeated requests (unique)
--   feedback_review_time   lists by review status; feedback that has none is new, and found by feedback_created
--   feedback_words         searches for text
-- Pages are ordered by time and then by id; what has the same microsecond is sorted when it is read, so that no index
-- holds ids. `feedback_modified` goes: retention finds old feedback by its time of creation, which is never later.
-- Only feedback that was recorded with a later time of creation is in `feedback_postdated`.
DROP INDEX feedback_created;
DROP INDEX feedback_key_time;
DROP INDEX feedback_place;
DROP INDEX feedback_thread;
DROP INDEX feedback_subject_time;
DROP INDEX feedback_review_time;
DROP INDEX feedback_modified;
DROP INDEX feedback_subject_added;
CREATE INDEX feedback_created ON feedback (project, created_at);
CREATE INDEX feedback_key_time ON feedback (project, key, created_at);
CREATE INDEX feedback_place ON feedback (project, assistant_id, assistant_version, created_at)
    WHERE assistant_id IS NOT NULL;
CREATE INDEX feedback_thread ON feedback (project, thread_id, created_at) WHERE thread_id IS NOT NULL;
CREATE INDEX feedback_subject_time ON feedback (project, subject, created_at) WHERE subject IS NOT NULL;
CREATE INDEX feedback_subject_added ON feedback (project, run_id, key, subject, created_at)
    WHERE subject IS NOT NULL AND adds_up = 1;
CREATE INDEX feedback_postdated ON feedback (project, modified_at) WHERE created_at > modified_at;
CREATE INDEX feedback_review_time ON feedback (project, review_status, created_at) WHERE review_status IS NOT NULL;

-- Grants that have expired are deleted in small steps.
CREATE INDEX feedback_grant_expiry ON feedback_grant (expires_at) WHERE expires_at IS NOT NULL;
