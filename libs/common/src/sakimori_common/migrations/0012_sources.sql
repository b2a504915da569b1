-- The gateway's: sources of logs and the digests of their tokens. The collector's: when each was last seen.

CREATE TABLE gateway.sources (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    format text NOT NULL DEFAULT 'auto',
    lines_per_second integer CHECK (lines_per_second > 0),
    max_body_bytes integer CHECK (max_body_bytes > 0),
    silent_after_minutes integer CHECK (silent_after_minutes > 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_by text,
    revoked_at timestamptz
);

COMMENT ON COLUMN gateway.sources.token_sha256 IS 'A token has 256 random bits: there is nothing to guess, so no slow hash.';

CREATE UNIQUE INDEX sources_active_name ON gateway.sources (name) WHERE revoked_at IS NULL;

CREATE FUNCTION gateway.tell_of_sources() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('ingest_sources', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER sources_are_told
    AFTER INSERT OR UPDATE OR DELETE ON gateway.sources
    FOR EACH STATEMENT EXECUTE FUNCTION gateway.tell_of_sources();

CREATE VIEW public.ingest_sources AS
    SELECT name, token_sha256, format, lines_per_second, max_body_bytes, silent_after_minutes, revoked_at
    FROM gateway.sources;

COMMENT ON VIEW public.ingest_sources IS 'For the collector, which hears of changes by LISTEN ingest_sources.';

CREATE TABLE collector.source_activity (
    source text PRIMARY KEY,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    lines bigint NOT NULL CHECK (lines >= 0),
    active_minutes bigint NOT NULL DEFAULT 1 CHECK (active_minutes > 0),
    silent_at timestamptz
);

COMMENT ON COLUMN collector.source_activity.active_minutes IS 'Minutes in which it was seen: tells what comes regularly.';
COMMENT ON COLUMN collector.source_activity.silent_at IS 'When its silence was told of; null while it speaks.';

CREATE VIEW public.source_activity AS
    SELECT source, first_seen_at, last_seen_at, lines, silent_at FROM collector.source_activity;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') THEN
        GRANT SELECT ON public.source_activity TO sakimori_reader;
    END IF;
END
$$;
