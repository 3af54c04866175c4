-- The number of the day, too: conditions on it and on the key are answered by the index of the counts.
CREATE OR REPLACE VIEW feedback_by_day AS
SELECT project, day * 86400000000 AS created_at, key, assistant_id, assistant_version, number, number AS score,
    CASE WHEN has_comment = 1 THEN '' END AS comment, review_status, source, answers AS weight, day
FROM feedback_day;
