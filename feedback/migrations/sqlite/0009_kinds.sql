-- The counts by day tell sources apart, too: people's feedback (`api`, `app`) and that of models.
DROP VIEW feedback_by_day;
DROP TRIGGER feedback_counted;
DROP TRIGGER feedback_discounted;
DROP TRIGGER feedback_recounted;
DROP INDEX feedback_day_place;
DELETE FROM feedback_day;
ALTER TABLE feedback_day ADD COLUMN source TEXT NOT NULL DEFAULT 'api';
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 9e999),
    has_comment, COALESCE(review_status, ''), source
);
-- The different scores of a key, each found in one step: the kind of a key that nothing configures is read from them.
CREATE INDEX feedback_day_number ON feedback_day (project, key, number);
INSERT INTO feedback_day
    (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, source, answers)
SELECT project, created_at / 86400000000, key, assistant_id, assistant_version, number, comment IS NOT NULL,
    review_status, source, COUNT(*)
FROM feedback GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

CREATE TRIGGER feedback_counted AFTER INSERT ON feedback BEGIN
    INSERT INTO feedback_day
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, source, answers)
    VALUES (NEW.project, NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, NEW.source, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
END;

CREATE TRIGGER feedback_discounted AFTER DELETE ON feedback BEGIN
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND source = OLD.source;
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND source = OLD.source AND answers = 0;
END;

CREATE TRIGGER feedback_recounted
AFTER UPDATE OF key, assistant_id, assistant_version, number, comment, review_status, source, created_at ON feedback
WHEN OLD.key <> NEW.key OR OLD.created_at <> NEW.created_at OR OLD.assistant_id IS NOT NEW.assistant_id
    OR OLD.assistant_version IS NOT NEW.assistant_version OR OLD.number IS NOT NEW.number
    OR (OLD.comment IS NULL) <> (NEW.comment IS NULL) OR OLD.review_status IS NOT NEW.review_status
    OR OLD.source <> NEW.source
BEGIN
    INSERT INTO feedback_day
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, source, answers)
    VALUES (NEW.project, NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, NEW.source, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND source = OLD.source;
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND source = OLD.source AND answers = 0;
END;

CREATE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, source, answers AS weight
FROM feedback_day;
