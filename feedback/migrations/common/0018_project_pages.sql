-- How the pages behind a project's URLs look, where that differs from the server's settings. A logo is a `data:` URL.
ALTER TABLE feedback_project ADD COLUMN pages TEXT NOT NULL DEFAULT '{}';
ALTER TABLE feedback_project ADD COLUMN logo TEXT;
