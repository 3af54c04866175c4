-- What a team has made of an answer; without a status it is new. What it was before, with every note, is in the log.
ALTER TABLE feedback ADD COLUMN review_status TEXT;
ALTER TABLE feedback ADD COLUMN review_note TEXT;
ALTER TABLE feedback ADD COLUMN reviewed_at BIGINT;
CREATE INDEX feedback_review_time ON feedback (review_status, created_at, id);
CREATE TABLE feedback_review (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
-- keep it, so that whatever adds, changes or erases answers counts them in the same transaction. An answer counts in
-- one of eight slots, by its id, so that concurrent answers seldom wait for the same row.
DROP INDEX feedback_statistics;
CREATE TABLE feedback_day (
    day BIGINT NOT NULL,
    key TEXT NOT NULL,
    assistant_id TEXT,
    assistant_version INTEGER,
    number DOUBLE PRECISION,
    has_comment INTEGER NOT NULL,
    review_status TEXT,
    slot INTEGER NOT NULL,
    answers BIGINT NOT NULL
);
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 'Infinity'), has_comment,
    COALESCE(review_status, ''), slot
);
INSERT INTO feedback_day (day, key, assistant_id, assistant_version, number, has_comment, review_status, slot, answers)
SELECT created_at / 86400000000, key, assistant_id, assistant_version, number, (comment IS NOT NULL)::INTEGER,
    review_status, hashtext(id) & 7, COUNT(*)
FROM feedback GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

CREATE FUNCTION feedback_count_in(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO feedback_day AS counted
        (day, key, assistant_id, assistant_version, number, has_comment, review_status, slot, answers)
    VALUES (answer.created_at / 86400000000, answer.key, answer.assistant_id, answer.assistant_version, answer.number,
        (answer.comment IS NOT NULL)::INTEGER, answer.review_status, hashtext(answer.id) & 7, 1)
    ON CONFLICT (key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 'Infinity'),
        has_comment, COALESCE(review_status, ''), slot)
    DO UPDATE SET answers = counted.answers + 1;
$$;

CREATE FUNCTION feedback_count_out(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    UPDATE feedback_day SET answers = answers - 1
    WHERE key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '')
        AND slot = hashtext(answer.id) & 7;
    DELETE FROM feedback_day
    WHERE key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '')
        AND slot = hashtext(answer.id) & 7 AND answers = 0;
$$;

CREATE FUNCTION feedback_recount() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM feedback_count_out(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM feedback_count_in(NEW);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER feedback_counted AFTER INSERT OR DELETE ON feedback
FOR EACH ROW EXECUTE FUNCTION feedback_recount();

CREATE TRIGGER feedback_recounted
AFTER UPDATE OF key, assistant_id, assistant_version, number, comment, review_status, created_at ON feedback
FOR EACH ROW WHEN (
    (OLD.key, OLD.created_at, OLD.assistant_id, OLD.assistant_version, OLD.number, OLD.comment IS NULL, OLD.review_status)
    IS DISTINCT FROM
    (NEW.key, NEW.created_at, NEW.assistant_id, NEW.assistant_version, NEW.number, NEW.comment IS NULL, NEW.review_status)
) EXECUTE FUNCTION feedback_recount();

-- The same as statistics read it: with the columns of the answers, and how many each row stands for.
CREATE VIEW feedback_by_day AS
SELECT day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, answers AS weight
FROM feedback_day;
