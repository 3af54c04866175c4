-- One index instead of two: the feedback on a run, in the order of its keys and of the subjects whose feedback is
-- replaced. NULLs are never equal, so a subject has one such feedback for a run and key, and all else is free: feedback
-- without a subject, and what adds up. Each submission and each erased feedback changes one page less.
DROP INDEX feedback_subject;
DROP INDEX feedback_run;
CREATE UNIQUE INDEX feedback_run ON feedback (project, run_id, key, (CASE WHEN adds_up = 0 THEN subject END));
