-- The counts by day tell sources apart, too: people's feedback (`api`, `app`) and that of models.
DROP VIEW feedback_by_day;
DROP INDEX feedback_day_place;
DELETE FROM feedback_day;
ALTER TABLE feedback_day ADD COLUMN source TEXT NOT NULL DEFAULT 'api';
CREATE UNIQUE INDEX feedback_day_place ON feedback_day (
    project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1), COALESCE(number, 'Infinity'),
    has_comment, COALESCE(review_status, ''), source, slot
);
-- The different scores of a key, each found in one step: the kind of a key that nothing configures is read from them.
CREATE INDEX feedback_day_number ON feedback_day (project, key, number);
INSERT INTO feedback_day
    (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, source, slot, answers)
SELECT project, created_at / 86400000000, key, assistant_id, assistant_version, number, (comment IS NOT NULL)::INTEGER,
    review_status, source, hashtext(id) & 7, COUNT(*)
FROM feedback GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

CREATE OR REPLACE FUNCTION feedback_count_in(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO feedback_day AS counted
        (project, day, key, assistant_id, assistant_version, number, has_comment, review_status, source, slot, answers)
    VALUES (answer.project, answer.created_at / 86400000000, answer.key, answer.assistant_id,
        answer.assistant_version, answer.number, (answer.comment IS NOT NULL)::INTEGER, answer.review_status,
        answer.source, hashtext(answer.id) & 7, 1)
    ON CONFLICT (project, key, day, COALESCE(assistant_id, ''), COALESCE(assistant_version, -1),
        COALESCE(number, 'Infinity'), has_comment, COALESCE(review_status, ''), source, slot)
    DO UPDATE SET answers = counted.answers + 1;
$$;

CREATE OR REPLACE FUNCTION feedback_count_out(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    UPDATE feedback_day SET answers = answers - 1
    WHERE project = answer.project AND key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '') AND source = answer.source
        AND slot = hashtext(answer.id) & 7;
    DELETE FROM feedback_day
    WHERE project = answer.project AND key = answer.key AND day = answer.created_at / 86400000000
        AND COALESCE(assistant_id, '') = COALESCE(answer.assistant_id, '')
        AND COALESCE(assistant_version, -1) = COALESCE(answer.assistant_version, -1)
        AND COALESCE(number, 'Infinity') = COALESCE(answer.number, 'Infinity')
        AND has_comment = (answer.comment IS NOT NULL)::INTEGER
        AND COALESCE(review_status, '') = COALESCE(answer.review_status, '') AND source = answer.source
        AND slot = hashtext(answer.id) & 7 AND answers = 0;
$$;

DROP TRIGGER feedback_recounted ON feedback;
CREATE TRIGGER feedback_recounted
AFTER UPDATE OF key, assistant_id, assistant_version, number, comment, review_status, source, created_at ON feedback
FOR EACH ROW WHEN (
    (OLD.key, OLD.created_at, OLD.assistant_id, OLD.assistant_version, OLD.number, OLD.comment IS NULL,
        OLD.review_status, OLD.source)
    IS DISTINCT FROM
    (NEW.key, NEW.created_at, NEW.assistant_id, NEW.assistant_version, NEW.number, NEW.comment IS NULL,
        NEW.review_status, NEW.source)
) EXECUTE FUNCTION feedback_recount();

CREATE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, source, answers AS weight
FROM feedback_day;
