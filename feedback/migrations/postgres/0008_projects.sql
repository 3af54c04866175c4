-- Projects: teams or products that share the database, each with rows of its own. `default` has all that name none.
CREATE TABLE feedback_project (
    name TEXT PRIMARY KEY,
    origins TEXT NOT NULL,
    rate TEXT,
    created_at BIGINT NOT NULL
);
INSERT INTO feedback_project (name, origins, rate, created_at) VALUES ('default', '[]', NULL, now_us());

ALTER TABLE feedback ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_history ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_grant ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_config ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_denial ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_minted ADD COLUMN project TEXT NOT NULL DEFAULT 'default';

-- Every query is about one project, so every index that a query begins with does.
DROP INDEX feedback_run;
DROP INDEX feedback_created;
DROP INDEX feedback_subject;
DROP INDEX feedback_subject_added;
DROP INDEX feedback_idempotency;
DROP INDEX feedback_thread;
DROP INDEX feedback_subject_time;
DROP INDEX feedback_key_time;
DROP INDEX feedback_modified;
DROP INDEX feedback_review_time;
DROP INDEX feedback_place;
DROP INDEX feedback_words;
CREATE INDEX feedback_run ON feedback (project, run_id, key);
CREATE INDEX feedback_created ON feedback (project, created_at, id);
CREATE UNIQUE INDEX feedback_subject ON feedback (project, run_id, key, subject)
    WHERE subject IS NOT NULL AND adds_up = 0;
CREATE INDEX feedback_subject_added ON feedback (project, run_id, key, subject, created_at, id)
    WHERE subject IS NOT NULL AND adds_up = 1;
CREATE UNIQUE INDEX feedback_idempotency ON feedback (project, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX feedback_thread ON feedback (project, thread_id, created_at, id) WHERE thread_id IS NOT NULL;
CREATE INDEX feedback_subject_time ON feedback (project, subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX feedback_key_time ON feedback (project, key, created_at, id);
CREATE INDEX feedback_modified ON feedback (project, modified_at, id);
CREATE INDEX feedback_review_time ON feedback (project, review_status, created_at, id);
CREATE INDEX feedback_place ON feedback (project, assistant_id, assistant_version, created_at, id);
CREATE INDEX feedback_words ON feedback (project, created_at, id)
    WHERE comment IS NOT NULL OR value IS NOT NULL OR correction IS NOT NULL;

DROP INDEX feedback_history_idempotency;
DROP INDEX feedback_history_run;
DROP INDEX feedback_history_thread;
DROP INDEX feedback_history_subject;
DROP INDEX feedback_history_modified;
CREATE INDEX feedback_history_idempotency ON feedback_history (project, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX feedback_history_run ON feedback_history (project, run_id);
CREATE INDEX feedback_history_thread ON feedback_history (project, thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX feedback_history_subject ON feedback_history (project, subject) WHERE subject IS NOT NULL;
CREATE INDEX feedback_history_modified ON feedback_history (project, modified_at, sequence);

DROP INDEX feedback_grant_run;
DROP INDEX feedback_grant_thread;
CREATE INDEX feedback_grant_run ON feedback_grant (project, run_id, id);
CREATE INDEX feedback_grant_thread ON feedback_grant (project, thread_id) WHERE thread_id IS NOT NULL;

DROP INDEX feedback_config_key;
DROP INDEX feedback_config_first;
DROP INDEX feedback_config_enforced;
CREATE INDEX feedback_config_key ON feedback_config (project, key, created_at, id);
CREATE UNIQUE INDEX feedback_config_first ON feedback_config (project, key)
    WHERE deleted_at IS NULL AND is_first = 1;
CREATE UNIQUE INDEX feedback_config_enforced ON feedback_config (project, key)
    WHERE deleted_at IS NULL AND is_enforced = 1;

ALTER TABLE feedback_retention ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
ALTER TABLE feedback_retention DROP CONSTRAINT feedback_retention_pkey;
ALTER TABLE feedback_retention ADD PRIMARY KEY (project, key);

-- The counts by day tell projects apart, too.
DROP VIEW feedback_by_day;
ALTER TABLE feedback_day ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
DROP INDEX feedback_day_place;
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 'Infinity'),
    has_comment, COALESCE(review_status, ''), slot
);

CREATE OR REPLACE FUNCTION feedback_count_in(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO feedback_day AS counted
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, slot, answers)
    VALUES (answer.project, answer.created_at / 86400000000, answer.key, answer.assistant_id,
        answer.assistant_version, answer.number, (answer.comment IS NOT NULL)::INTEGER, answer.review_status,
        hashtext(answer.id) & 7, 1)
    ON CONFLICT (project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1),
        COALESCE(number, 'Infinity'), has_comment, COALESCE(review_status, ''), slot)
    DO UPDATE SET answers = counted.answers + 1;
$$;

CREATE OR REPLACE FUNCTION feedback_count_out(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = answer.project AND key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '')
        AND slot = hashtext(answer.id) & 7;
    DELETE FROM feedback_day
    WHERE project = answer.project AND key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '')
        AND slot = hashtext(answer.id) & 7 AND answers = 0;
$$;

CREATE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, answers AS weight
FROM feedback_day;
