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

ALTER TABLE feedback_retention RENAME TO feedback_retention_before;
CREATE TABLE feedback_retention (
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    days INTEGER NOT NULL,
    PRIMARY KEY (project, key)
);
INSERT INTO feedback_retention (project, key, days) SELECT 'default', key, days FROM feedback_retention_before;
DROP TABLE feedback_retention_before;

-- The counts by day tell projects apart, too.
DROP VIEW feedback_by_day;
DROP TRIGGER feedback_counted;
DROP TRIGGER feedback_discounted;
DROP TRIGGER feedback_recounted;
ALTER TABLE feedback_day ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
DROP INDEX feedback_day_place;
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 9e999),
    has_comment, COALESCE(review_status, '')
);

CREATE TRIGGER feedback_counted AFTER INSERT ON feedback BEGIN
    INSERT INTO feedback_day
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, answers)
    VALUES (NEW.project, NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
END;

CREATE TRIGGER feedback_discounted AFTER DELETE ON feedback BEGIN
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '');
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND answers = 0;
END;

CREATE TRIGGER feedback_recounted
AFTER UPDATE OF key, assistant_id, assistant_version, number, comment, review_status, created_at ON feedback
WHEN OLD.key <> NEW.key OR OLD.created_at <> NEW.created_at OR OLD.assistant_id IS NOT NEW.assistant_id
    OR OLD.assistant_version IS NOT NEW.assistant_version OR OLD.number IS NOT NEW.number
    OR (OLD.comment IS NULL) <> (NEW.comment IS NULL) OR OLD.review_status IS NOT NEW.review_status
BEGIN
    INSERT INTO feedback_day
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, answers)
    VALUES (NEW.project, NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '');
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND answers = 0;
END;

CREATE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, answers AS weight
FROM feedback_day;

-- SQLite has no statistics of its own here, and would take a project for ten rows: then it reads all of a project in the
-- order that is asked for, rather than the few rows of a run. These say how many rows an index finds in a large database
-- by its first column, its first two, and so on. (PostgreSQL collects its own.)
ANALYZE feedback_project;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('feedback', 'sqlite_autoindex_feedback_1', '1000000 1'),
    ('feedback', 'feedback_run', '1000000 500000 4 2'),
    ('feedback', 'feedback_created', '1000000 500000 2 1'),
    ('feedback', 'feedback_subject', '1000000 500000 4 2 1'),
    ('feedback', 'feedback_subject_added', '1000000 500000 4 2 2 1 1'),
    ('feedback', 'feedback_idempotency', '1000000 500000 1'),
    ('feedback', 'feedback_thread', '1000000 500000 10 2 1'),
    ('feedback', 'feedback_subject_time', '1000000 500000 20 2 1'),
    ('feedback', 'feedback_key_time', '1000000 500000 100000 2 1'),
    ('feedback', 'feedback_modified', '1000000 500000 2 1'),
    ('feedback', 'feedback_review_time', '1000000 500000 250000 2 1'),
    ('feedback', 'feedback_place', '1000000 500000 5000 1000 2 1'),
    ('feedback', 'feedback_words', '200000 100000 2 1'),
    ('feedback_history', 'feedback_history_answer', '1000000 4'),
    ('feedback_history', 'feedback_history_idempotency', '1000000 500000 1'),
    ('feedback_history', 'feedback_history_run', '1000000 500000 4'),
    ('feedback_history', 'feedback_history_thread', '1000000 500000 10'),
    ('feedback_history', 'feedback_history_subject', '1000000 500000 20'),
    ('feedback_history', 'feedback_history_modified', '1000000 500000 2 1'),
    ('feedback_grant', 'feedback_grant_run', '1000000 500000 2 1'),
    ('feedback_grant', 'feedback_grant_thread', '1000000 500000 10');
ANALYZE sqlite_schema;
