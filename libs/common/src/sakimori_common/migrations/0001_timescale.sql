-- Uses TimescaleDB where the server has it loaded; everything after asks public.has_timescale().

DO $$
BEGIN
    -- CREATE EXTENSION ends the connection where the library is not preloaded, so that is asked first.
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
        AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'
    THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'TimescaleDB is used only if an administrator created the extension: %', SQLERRM;
END
$$;

-- Compression, retention and continuous aggregates are not in the edition under the Apache licence.
CREATE FUNCTION public.has_timescale() RETURNS boolean
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'timescaledb')
        AND coalesce(pg_catalog.current_setting('timescaledb.license', true), '') = 'timescale';

COMMENT ON FUNCTION public.has_timescale() IS 'Whether TimescaleDB is there with all that the migrations use of it.';
