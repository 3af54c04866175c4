-- Searches for text find a rare word by its groups of three characters. That needs the extension `pg_trgm`, which comes
-- with PostgreSQL; a user with the right CREATE on the database may create it. Without it, searches read every text. An
-- expression is indexed as it is searched (`FeedbackQuery`), or the index is not used.
DO $$
DECLARE
    place TEXT;
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN OTHERS THEN  -- each hosting service refuses with an error of its own
        RAISE WARNING 'feedback is searched without an index: %', SQLERRM;
    END;
    SELECT pg_namespace.nspname INTO place FROM pg_extension
    JOIN pg_namespace ON pg_namespace.oid = pg_extension.extnamespace WHERE pg_extension.extname = 'pg_trgm';
    IF place IS NOT NULL THEN
        EXECUTE format('CREATE INDEX feedback_trigrams ON feedback USING gin (LOWER(comment) %1$I.gin_trgm_ops,'
            ' LOWER(value) %1$I.gin_trgm_ops, LOWER(correction) %1$I.gin_trgm_ops)', place);
        ANALYZE feedback;  -- else a frequent word, too, is looked up in the index, rather than in the newest feedback
    END IF;
END $$;
