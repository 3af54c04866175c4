-- The run that a dataset's example was copied from: erasing what a person said erases such copies.
ALTER TABLE feedback_resource ADD COLUMN run_id TEXT;
UPDATE feedback_resource SET run_id = json_extract(body, '$.source_run_id') WHERE kind = 'example';
CREATE INDEX feedback_resource_by_run ON feedback_resource (project, run_id) WHERE run_id IS NOT NULL;
