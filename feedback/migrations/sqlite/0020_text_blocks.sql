-- Which groups of three characters the texts of about 256 consecutive pieces of feedback have, as bits of their hashes
-- (a Bloom filter), so that a search for a rare word reads few of them. A block has those created after `begins_at` and
-- until `ends_at`. Only feedback in no block is read by every search: the newest, and what has changed since.
CREATE TABLE feedback_text_block (
    project TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    begins_at BIGINT NOT NULL,
    bits BLOB NOT NULL
);
CREATE UNIQUE INDEX feedback_text_block_time ON feedback_text_block (project, ends_at, begins_at);
-- New feedback is later than any block, so that it costs one look at the end of an index, and only if it has a text.
CREATE TRIGGER feedback_text_added AFTER INSERT ON feedback
WHEN NEW.comment IS NOT NULL OR NEW.value IS NOT NULL OR NEW.correction IS NOT NULL BEGIN
    DELETE FROM feedback_text_block
    WHERE project = NEW.project AND begins_at < NEW.created_at AND ends_at = (SELECT MIN(block.ends_at)
        FROM feedback_text_block AS block WHERE block.project = NEW.project AND block.ends_at >= NEW.created_at);
END;
CREATE TRIGGER feedback_text_changed AFTER UPDATE OF comment, value, correction, created_at, project ON feedback
WHEN NEW.comment IS NOT OLD.comment OR NEW.value IS NOT OLD.value OR NEW.correction IS NOT OLD.correction
    OR NEW.created_at <> OLD.created_at OR NEW.project <> OLD.project BEGIN
    DELETE FROM feedback_text_block
    WHERE project = NEW.project AND begins_at < NEW.created_at AND ends_at = (SELECT MIN(block.ends_at)
        FROM feedback_text_block AS block WHERE block.project = NEW.project AND block.ends_at >= NEW.created_at);
END;
CREATE TRIGGER feedback_text_of_project AFTER DELETE ON feedback_project BEGIN
    DELETE FROM feedback_text_block WHERE project = OLD.name;
END;
