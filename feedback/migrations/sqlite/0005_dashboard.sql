-- What a team has made of an answer; without a status it is new. What it was before, with every note, is in the log.
ALTER TABLE feedback ADD COLUMN review_status TEXT;
ALTER TABLE feedback ADD COLUMN review_note TEXT;
ALTER TABLE feedback ADD COLUMN reviewed_at BIGINT;
CREATE INDEX feedback_review_time ON feedback (review_status, created_at, id);
CREATE TABLE feedback_review (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    feedback_id TEXT NOT NULL,
    status TEXT NOT NULL,
    note TEXT,
    reviewed_at BIGINT NOT NULL
);
CREATE INDEX feedback_review_answer ON feedback_review (feedback_id, sequence);

-- The newest answers about a version, and the newest with words in them.
CREATE INDEX feedback_place ON feedback (assistant_id, assistant_version, created_at, id);
CREATE INDEX feedback_words ON feedback (created_at, id)
    WHERE comment IS NOT NULL OR value IS NOT NULL OR correction IS NOT NULL;

-- How many answers were given on a day (UTC, counted from 1970), told apart by all that statistics tell apart. Triggers
-- keep it, so that whatever adds, changes or erases answers counts them in the same transaction.
DROP INDEX feedback_statistics;
CREATE TABLE feedback_day (
    day BIGINT NOT NULL,
    key TEXT NOT NULL,
    assistant_id TEXT,
    assistant_version INTEGER,
    number DOUBLE PRECISION,
    has_comment INTEGER NOT NULL,
    review_status TEXT,
    answers BIGINT NOT NULL
);
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 9e999), has_comment,
    COALESCE(review_status, '')
);
INSERT INTO feedback_day (day, key, assistant_id, assistant_version, number, has_comment, review_status, answers)
SELECT created_at / 86400000000, key, assistant_id, assistant_version, number, comment IS NOT NULL,
    review_status, COUNT(*)
FROM feedback GROUP BY 1, 2, 3, 4, 5, 6, 7;

CREATE TRIGGER feedback_counted AFTER INSERT ON feedback BEGIN
    INSERT INTO feedback_day (day, key, assistant_id, assistant_version, number, has_comment, review_status, answers)
    VALUES (NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
END;

CREATE TRIGGER feedback_discounted AFTER DELETE ON feedback BEGIN
    UPDATE feedback_day SET answers = answers - 1
    WHERE key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '');
    DELETE FROM feedback_day
    WHERE key = OLD.key AND day = OLD.created_at / 86400000000
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
    INSERT INTO feedback_day (day, key, assistant_id, assistant_version, number, has_comment, review_status, answers)
    VALUES (NEW.created_at / 86400000000, NEW.key, NEW.assistant_id, NEW.assistant_version, NEW.number,
        NEW.comment IS NOT NULL, NEW.review_status, 1)
    ON CONFLICT DO UPDATE SET answers = answers + 1;
    UPDATE feedback_day SET answers = answers - 1
    WHERE key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '');
    DELETE FROM feedback_day
    WHERE key = OLD.key AND day = OLD.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(OLD.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(OLD.assistant_version, -1)
        AND COALESCE(number, 9e999) = COALESCE(OLD.number, 9e999)
        AND has_comment = (OLD.comment IS NOT NULL)
        AND COALESCE(review_status, '') = COALESCE(OLD.review_status, '') AND answers = 0;
END;

-- The same as statistics read it: with the columns of the answers, and how many each row stands for.
CREATE VIEW feedback_by_day AS
SELECT day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, answers AS weight
FROM feedback_day;
