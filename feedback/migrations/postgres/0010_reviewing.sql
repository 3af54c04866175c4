-- Reasons that submissions list in their metadata (`{"reasons": ["Wrong", "Too long"]}`), kept up to date by triggers.
CREATE TABLE feedback_reason (
    project TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (feedback_id, reason)
);
CREATE INDEX feedback_reason_name ON feedback_reason (project, reason, feedback_id);
CREATE FUNCTION feedback_reasons_of(answer feedback) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO feedback_reason (project, feedback_id, reason)
    SELECT answer.project, answer.id, LEFT(listed.value #>> '{}', 200)
    FROM jsonb_array_elements(
        CASE WHEN jsonb_typeof(answer.metadata::jsonb -> 'reasons') = 'array'
        THEN answer.metadata::jsonb -> 'reasons' ELSE '[]'::jsonb END
    ) AS listed (value)
    WHERE jsonb_typeof(listed.value) = 'string' LIMIT 50 ON CONFLICT DO NOTHING;
$$;
SELECT feedback_reasons_of(feedback) FROM feedback WHERE metadata LIKE '%"reasons"%';
CREATE FUNCTION feedback_keep_reasons() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM feedback_reason WHERE feedback_id = OLD.id;
    END IF;
    IF NEW.metadata LIKE '%"reasons"%' THEN
        PERFORM feedback_reasons_of(NEW);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER feedback_reasons_added AFTER INSERT ON feedback
FOR EACH ROW WHEN (NEW.metadata LIKE '%"reasons"%') EXECUTE FUNCTION feedback_keep_reasons();
CREATE TRIGGER feedback_reasons_changed AFTER UPDATE OF metadata ON feedback
FOR EACH ROW WHEN (OLD.metadata IS DISTINCT FROM NEW.metadata
    AND (OLD.metadata LIKE '%"reasons"%' OR NEW.metadata LIKE '%"reasons"%'))
EXECUTE FUNCTION feedback_keep_reasons();

-- Who reviews a piece of feedback, and who has reviewed it.
ALTER TABLE feedback ADD COLUMN review_assignee TEXT;
ALTER TABLE feedback ADD COLUMN reviewer TEXT;
ALTER TABLE feedback_review ADD COLUMN assignee TEXT;
ALTER TABLE feedback_review ADD COLUMN reviewer TEXT;
CREATE INDEX feedback_review_assignee ON feedback (project, review_assignee, created_at, id)
    WHERE review_assignee IS NOT NULL;

-- Named collections of feedback, to export as training or test sets.
CREATE TABLE feedback_dataset_item (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (project, dataset, feedback_id)
);
CREATE INDEX feedback_dataset_item_feedback ON feedback_dataset_item (feedback_id);

-- Alert rules that were created over HTTP; those of the configuration are not here.
CREATE TABLE feedback_alert_rule (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    rule TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX feedback_alert_rule_text ON feedback_alert_rule (project, rule);
CREATE FUNCTION feedback_forget() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM feedback_reason WHERE feedback_id = OLD.id;
    DELETE FROM feedback_dataset_item WHERE feedback_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER feedback_removed AFTER DELETE ON feedback FOR EACH ROW EXECUTE FUNCTION feedback_forget();
