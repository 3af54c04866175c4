-- Numbers of events in a thread: how many claims of runs it has had; of a run, how many there were before its last one,
-- and the number of its last event in that turn.
ALTER TABLE threads ADD COLUMN turns BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN turn BIGINT;
ALTER TABLE runs ADD COLUMN last_event BIGINT;
-- What whoever streams the events of a thread reads every second.
CREATE INDEX runs_by_turn ON runs (thread_id, turn);
