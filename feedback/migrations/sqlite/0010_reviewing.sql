-- Reasons that submissions list in their metadata (`{"reasons": ["Wrong", "Too long"]}`), kept up to date by triggers.
CREATE TABLE feedback_reason (
    project TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (feedback_id, reason)
);
CREATE INDEX feedback_reason_name ON feedback_reason (project, reason, feedback_id);
INSERT OR IGNORE INTO feedback_reason (project, feedback_id, reason)
SELECT feedback.project, feedback.id, substr(listed.value, 1, 200)
FROM feedback, json_each(feedback.metadata, '$.reasons') AS listed
WHERE metadata LIKE '%"reasons"%' AND listed.type = 'text' AND json_type(feedback.metadata, '$.reasons') = 'array';
CREATE TRIGGER feedback_reasons_added AFTER INSERT ON feedback WHEN NEW.metadata LIKE '%"reasons"%' BEGIN
    INSERT OR IGNORE INTO feedback_reason (project, feedback_id, reason)
    SELECT NEW.project, NEW.id, substr(listed.value, 1, 200) FROM json_each(NEW.metadata, '$.reasons') AS listed
    WHERE listed.type = 'text' AND json_type(NEW.metadata, '$.reasons') = 'array' LIMIT 50;
END;
CREATE TRIGGER feedback_reasons_changed AFTER UPDATE OF metadata ON feedback
WHEN OLD.metadata IS NOT NEW.metadata AND (OLD.metadata LIKE '%"reasons"%' OR NEW.metadata LIKE '%"reasons"%') BEGIN
    DELETE FROM feedback_reason WHERE feedback_id = OLD.id;
    INSERT OR IGNORE INTO feedback_reason (project, feedback_id, reason)
    SELECT NEW.project, NEW.id, substr(listed.value, 1, 200) FROM json_each(NEW.metadata, '$.reasons') AS listed
    WHERE listed.type = 'text' AND json_type(NEW.metadata, '$.reasons') = 'array' LIMIT 50;
END;

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
CREATE TRIGGER feedback_removed AFTER DELETE ON feedback BEGIN
    DELETE FROM feedback_reason WHERE feedback_id = OLD.id;
    DELETE FROM feedback_dataset_item WHERE feedback_id = OLD.id;
END;
