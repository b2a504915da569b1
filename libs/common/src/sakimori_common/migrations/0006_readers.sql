-- Dashboards and reports sign in as members of sakimori_reader, which sees the public views and nothing else.

DO $$
BEGIN
    CREATE ROLE sakimori_reader NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;  -- a role belongs to the whole server
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'sakimori_reader is left to an administrator (deploy/postgres): %', SQLERRM;
END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') THEN
        GRANT USAGE ON SCHEMA public TO sakimori_reader;
        GRANT SELECT ON public.events, public.events_per_minute, public.findings, public.decisions, public.deliveries,
            public.triaged_findings TO sakimori_reader;
    END IF;
END
$$;
