-- The counts by day in one B-tree, in the order in which statistics read them: no row is looked up one by one, and what
-- counts a submission changes one page. A primary key of a table WITHOUT ROWID takes no NULL, so '' stands for no
-- assistant and no review status, -1 for no version, and infinity (which no score is) for no score.
DROP VIEW feedback_by_day;
DROP TRIGGER feedback_counted;
DROP TRIGGER feedback_discounted;
DROP TRIGGER feedback_recounted;
ALTER TABLE feedback_day RENAME TO feedback_day_before;
DROP INDEX feedback_day_number;
CREATE TABLE feedback_day (
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    source TEXT NOT NULL,
    assistant_id TEXT NOT NULL,
    assistant_version INTEGER NOT NULL,
    has_comment INTEGER NOT NULL,
    review_status TEXT NOT NULL,
    number REAL NOT NULL,
    answers INTEGER NOT NULL,
    PRIMARY KEY (project, key, day, source, assistant_id, assistant_version, has_comment, review_status, number)
) WITHOUT ROWID;
INSERT INTO feedback_day
SELECT project, key, day, source, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), has_comment,
    COALESCE(review_status, ''), COALESCE(number, 9e999), SUM(answers)
FROM feedback_day_before GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
DROP TABLE feedback_day_before;
CREATE INDEX feedback_day_number ON feedback_day (project, key, number);

CREATE TRIGGER feedback_counted AFTER INSERT ON feedback BEGIN
    INSERT INTO feedback_day
    VALUES (NEW.project, NEW.key, NEW.created_at / 86400000000, NEW.source, COALESCE(NEW.assistant_id, ''),
        COALESCE(NEW.assistant_version, -1), NEW.comment IS NOT NULL, COALESCE(NEW.review_status, ''),
        COALESCE(NEW.number, 9e999), 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
END;

CREATE TRIGGER feedback_discounted AFTER DELETE ON feedback BEGIN
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000 AND source = OLD.source
        AND assistant_id = COALESCE(OLD.assistant_id, '') AND assistant_version = COALESCE(OLD.assistant_version, -1)
        AND has_comment = (OLD.comment IS NOT NULL) AND review_status = COALESCE(OLD.review_status, '')
        AND number = COALESCE(OLD.number, 9e999);
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000 AND source = OLD.source
        AND assistant_id = COALESCE(OLD.assistant_id, '') AND assistant_version = COALESCE(OLD.assistant_version, -1)
        AND has_comment = (OLD.comment IS NOT NULL) AND review_status = COALESCE(OLD.review_status, '')
        AND number = COALESCE(OLD.number, 9e999) AND answers = 0;
END;

CREATE TRIGGER feedback_recounted
AFTER UPDATE OF key, assistant_id, assistant_version, number, comment, review_status, source, created_at ON feedback
WHEN OLD.key <> NEW.key OR OLD.created_at <> NEW.created_at OR OLD.assistant_id IS NOT NEW.assistant_id
    OR OLD.assistant_version IS NOT NEW.assistant_version OR OLD.number IS NOT NEW.number
    OR (OLD.comment IS NULL) <> (NEW.comment IS NULL) OR OLD.review_status IS NOT NEW.review_status
    OR OLD.source <> NEW.source
BEGIN
    INSERT INTO feedback_day
    VALUES (NEW.project, NEW.key, NEW.created_at / 86400000000, NEW.source, COALESCE(NEW.assistant_id, ''),
        COALESCE(NEW.assistant_version, -1), NEW.comment IS NOT NULL, COALESCE(NEW.review_status, ''),
        COALESCE(NEW.number, 9e999), 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000 AND source = OLD.source
        AND assistant_id = COALESCE(OLD.assistant_id, '') AND assistant_version = COALESCE(OLD.assistant_version, -1)
        AND has_comment = (OLD.comment IS NOT NULL) AND review_status = COALESCE(OLD.review_status, '')
        AND number = COALESCE(OLD.number, 9e999);
    DELETE FROM feedback_day
    WHERE project = OLD.project AND key = OLD.key AND day = OLD.created_at / 86400000000 AND source = OLD.source
        AND assistant_id = COALESCE(OLD.assistant_id, '') AND assistant_version = COALESCE(OLD.assistant_version, -1)
        AND has_comment = (OLD.comment IS NOT NULL) AND review_status = COALESCE(OLD.review_status, '')
        AND number = COALESCE(OLD.number, 9e999) AND answers = 0;
END;

CREATE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, NULLIF(assistant_id, '') AS assistant_id,
    NULLIF(assistant_version, -1) AS assistant_version, NULLIF(number, 9e999) AS number,
    NULLIF(number, 9e999) AS score, CASE WHEN has_comment = 1 THEN '' END AS comment,
    NULLIF(review_status, '') AS review_status, source, answers AS weight, day
FROM feedback_day;
