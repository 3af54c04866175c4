-- No index of a page's order holds ids: what has the same microsecond is sorted when it is read. These two still did, and
-- ids are more than half of their entries.
DROP INDEX feedback_words;
CREATE INDEX feedback_words ON feedback (project, created_at)
    WHERE comment IS NOT NULL OR value IS NOT NULL OR correction IS NOT NULL;
DROP INDEX feedback_review_assignee;
CREATE INDEX feedback_review_assignee ON feedback (project, review_assignee, created_at)
    WHERE review_assignee IS NOT NULL;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('feedback', 'feedback_words', '200000 100000 2');
ANALYZE sqlite_schema;
