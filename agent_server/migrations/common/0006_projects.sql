-- The project of feedback that a key is for, and the one that feedback on a run (a cron's runs) is of; none: `default`.
ALTER TABLE api_keys ADD COLUMN project TEXT;
ALTER TABLE runs ADD COLUMN project TEXT;
ALTER TABLE crons ADD COLUMN project TEXT;
