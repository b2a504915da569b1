-- Events by day, how long each dataset is kept, and counts that panels ask for. docs/adr/0016 says why.

ALTER TABLE collector.events ADD COLUMN severity text NOT NULL DEFAULT 'info', ADD COLUMN host text;

COMMENT ON COLUMN collector.events.severity IS 'info, low, medium, high or critical; events stored before this column are info.';
COMMENT ON COLUMN collector.events.host IS 'host.hostname, host.name or observer.name, whichever is there first.';

CREATE TABLE collector.retention (
    pattern text PRIMARY KEY,
    days integer NOT NULL CHECK (days BETWEEN 1 AND 36500)
);

COMMENT ON TABLE collector.retention IS
    'How many days events are kept, by dataset: `network.*`, `nginx.access` or `*`. The collector writes it at its start.';

INSERT INTO collector.retention VALUES ('*', 90), ('network.*', 30);

CREATE FUNCTION collector.days_kept(dataset text) RETURNS integer
    LANGUAGE sql STABLE
    BEGIN ATOMIC
        SELECT days FROM collector.retention
        WHERE dataset LIKE replace(replace(replace(pattern, '\', '\\'), '_', '\_'), '*', '%')
        ORDER BY length(pattern) DESC, pattern LIMIT 1;
    END;

COMMENT ON FUNCTION collector.days_kept IS 'The days of the longest pattern that fits; null: for ever.';

CREATE TABLE collector.swept (
    days integer PRIMARY KEY,
    before timestamptz NOT NULL
);

COMMENT ON TABLE collector.swept IS 'Up to when the datasets that are kept for so many days have been deleted.';

CREATE FUNCTION collector.minute(at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date_bin(INTERVAL '1 minute', at, TIMESTAMPTZ '2000-01-01 00:00:00Z');

CREATE FUNCTION collector.hour(at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date_bin(INTERVAL '1 hour', at, TIMESTAMPTZ '2000-01-01 00:00:00Z');

CREATE FUNCTION collector.text_of(fields jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(fields ->> 'message', '') || ' ' || coalesce(fields ->> 'url.original', fields ->> 'url.path', '')
        || ' ' || coalesce(fields ->> 'process.command_line', '');

COMMENT ON FUNCTION collector.text_of IS 'What the text search looks at.';

CREATE FUNCTION collector.words_of(content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('pg_catalog.simple', translate(content, '/.:;,=?&%+-_"''()[]{}<>|\@#!*$~^`', repeat(' ', 40)));

COMMENT ON FUNCTION collector.words_of IS 'Letters and digits between anything else, in lower case.';

-- What both kinds of server do ----------------------------------------------------------------------------------------

CREATE FUNCTION collector.sweep(kept integer, begin_at timestamptz, now_at timestamptz)
    RETURNS TABLE (until_at timestamptz, deleted bigint)
    LANGUAGE plpgsql
    AS $$
DECLARE
    cutoff timestamptz := collector.hour(now_at - make_interval(days => kept));
    first timestamptz := begin_at;
    name text;
    gone bigint;
BEGIN
    IF first IS NULL AND NOT public.has_timescale() THEN
        SELECT before INTO first FROM collector.swept WHERE days = kept;
    END IF;
    SELECT min(time) INTO first FROM collector.events WHERE time >= coalesce(first, '-infinity') AND time < cutoff;
    deleted := 0;
    IF first IS NOT NULL THEN
        until_at := least(collector.hour(first) + INTERVAL '6 hours', cutoff);
        PERFORM set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
        FOR name IN
            SELECT known.dataset FROM (SELECT DISTINCT dataset FROM collector.events_per_hour) AS known
            WHERE collector.days_kept(known.dataset) = kept
        LOOP
            -- One dataset and constants for times: compressed batches of other datasets and other days stay as they are.
            EXECUTE format('DELETE FROM collector.events WHERE dataset = %L AND time >= %L AND time < %L', name, first, until_at);
            GET DIAGNOSTICS gone = ROW_COUNT;
            deleted := deleted + gone;
        END LOOP;
    END IF;
    INSERT INTO collector.swept AS known VALUES (kept, coalesce(until_at, cutoff))
        ON CONFLICT (days) DO UPDATE SET before = excluded.before;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION collector.sweep IS
    'Deletes six hours at most of the datasets that are kept for so many days; returns up to when, null when all is done.';

CREATE FUNCTION collector.set_retention(patterns text[], kept integer[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (
        (SELECT * FROM unnest(patterns, kept) EXCEPT TABLE collector.retention)
        UNION ALL (TABLE collector.retention EXCEPT SELECT * FROM unnest(patterns, kept))
    ) THEN
        RETURN false;
    END IF;
    LOCK TABLE collector.retention;
    DELETE FROM collector.retention;
    INSERT INTO collector.retention SELECT * FROM unnest(patterns, kept);
    DELETE FROM collector.swept;
    PERFORM collector.follow_retention();
    RETURN true;
END
$$;

COMMENT ON FUNCTION collector.set_retention IS 'Says how long datasets are kept; tells whether that is a change.';

CREATE FUNCTION collector.follow_retention() RETURNS void
    LANGUAGE sql
    RETURN NULL::void;

COMMENT ON FUNCTION collector.follow_retention IS 'Makes policies of TimescaleDB follow collector.retention.';

-- What only plain PostgreSQL needs -----------------------------------------------------------------------------------

CREATE FUNCTION collector.add_days(until timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    first timestamptz;
    day timestamptz;
    added integer := 0;
BEGIN
    -- The bound of the last partition, FOR VALUES FROM ('...') TO (MAXVALUE), is where the days end.
    SELECT substring(pg_get_expr(relpartbound, oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz INTO first
    FROM pg_class WHERE oid = 'collector.events_future'::regclass;
    IF first IS NULL OR first >= until THEN
        RETURN 0;
    END IF;
    SET LOCAL lock_timeout = '3s';  -- whoever waits for this lock holds up everybody else
    LOCK TABLE collector.events IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE collector.events DETACH PARTITION collector.events_future;
    day := first;
    WHILE day < until LOOP
        EXECUTE format(
            'CREATE TABLE collector.%I PARTITION OF collector.events FOR VALUES FROM (%L) TO (%L)',
            'events_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD'), day, day + INTERVAL '24 hours'
        );
        day := day + INTERVAL '24 hours';
        added := added + 1;
    END LOOP;
    ALTER TABLE collector.events DISABLE TRIGGER count_events;  -- they are counted already
    WITH moved AS (DELETE FROM collector.events_future WHERE time < day RETURNING *)
    INSERT INTO collector.events SELECT * FROM moved;
    ALTER TABLE collector.events ENABLE TRIGGER count_events;
    EXECUTE format('ALTER TABLE collector.events ATTACH PARTITION collector.events_future FOR VALUES FROM (%L) TO (MAXVALUE)', day);
    RETURN added;
END
$$;

COMMENT ON FUNCTION collector.add_days IS
    'Makes a partition of each day before an instant; what came early, with clocks ahead, moves there.';

CREATE FUNCTION collector.count_events() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    rolled timestamptz;
BEGIN
    -- In one order everywhere, so that writers wait for each other and never in a circle.
    INSERT INTO collector.severities_per_minute AS counts
        SELECT collector.minute(time), dataset, severity, count(*) FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (bucket, dataset, severity) DO UPDATE SET events = counts.events + excluded.events;
    INSERT INTO collector.events_per_hour AS counts
        SELECT collector.hour(time), dataset, severity, coalesce(host, ''), count(*) FROM added GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (bucket, dataset, severity, host) DO UPDATE SET events = counts.events + excluded.events;
    -- Sources are many: those of the last minutes are rolled up together, only what is late is counted here.
    SELECT until INTO rolled FROM collector.sources_rolled_up FOR SHARE;
    INSERT INTO collector.rolled_sources AS counts
        SELECT collector.hour(time), source_ip, count(*), count(*) FILTER (WHERE outcome = 'failure') FROM added
        WHERE time < rolled AND source_ip IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (bucket, source_ip) DO UPDATE
            SET events = counts.events + excluded.events, failures = counts.failures + excluded.failures;
    UPDATE collector.swept SET before = late.first
        FROM (SELECT min(time) AS first FROM added) AS late WHERE late.first < swept.before;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION collector.count_events IS 'Counts what was really inserted: what was there already is not among `added`.';

CREATE FUNCTION collector.roll_up_sources(until_at timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql
    AS $$
DECLARE
    first timestamptz;
    begin_at timestamptz;
    end_at timestamptz;
BEGIN
    SELECT until INTO begin_at FROM collector.sources_rolled_up FOR UPDATE;  -- waits for those who are counting
    SELECT min(time) INTO first FROM collector.events WHERE time >= begin_at AND time < until_at;
    IF first IS NULL THEN
        RETURN NULL;
    END IF;
    begin_at := greatest(begin_at, collector.hour(first));
    -- Writers wait meanwhile: little at a time, but of what is long past, at most once after an upgrade.
    end_at := least(
        begin_at + CASE WHEN begin_at < until_at - INTERVAL '1 day' THEN INTERVAL '6 hours' ELSE INTERVAL '5 minutes' END, until_at
    );
    INSERT INTO collector.rolled_sources AS counts
        SELECT collector.hour(time), source_ip, count(*), count(*) FILTER (WHERE outcome = 'failure')
        FROM collector.events WHERE time >= begin_at AND time < end_at AND source_ip IS NOT NULL
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (bucket, source_ip) DO UPDATE
            SET events = counts.events + excluded.events, failures = counts.failures + excluded.failures;
    UPDATE collector.sources_rolled_up SET until = end_at;
    RETURN end_at;
END
$$;

COMMENT ON FUNCTION collector.roll_up_sources IS
    'Adds some minutes of sources to their hours; returns up to when, or null when there is nothing to add.';

CREATE FUNCTION collector.indexes_to_make(now_at timestamptz) RETURNS TABLE (statement text)
    LANGUAGE sql STABLE
    AS $$
    WITH days AS (
        SELECT part.oid, part.relname, pg_get_expr(part.relpartbound, part.oid) AS bound
        FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
        WHERE inhparent = 'collector.events'::regclass
    ), closed AS (
        SELECT oid, relname FROM days
        WHERE relname <> 'events_future'
            AND substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz <= now_at
    ), wanted AS (
        SELECT relname, kind, relname || '_' || kind AS name, definition
        FROM closed CROSS JOIN (VALUES
            (1, 'dataset', '(dataset, time)'),
            (2, 'host', '(host, time) WHERE host IS NOT NULL'),
            (3, 'action', '(action, time) WHERE action IS NOT NULL'),
            (4, 'user', '(user_name, time) WHERE user_name IS NOT NULL'),
            (5, 'words', 'USING gin (collector.words_of(collector.text_of(fields)))')
        ) AS kinds (place, kind, definition)
    )
    SELECT CASE
        WHEN made.indexrelid IS NULL THEN
            format('CREATE INDEX CONCURRENTLY %I ON collector.%I %s', name, relname, definition)
        ELSE format('DROP INDEX CONCURRENTLY collector.%I', name)
    END
    FROM wanted LEFT JOIN pg_index AS made ON made.indexrelid = to_regclass(format('collector.%I', name))
    WHERE made.indexrelid IS NULL OR NOT made.indisvalid
    ORDER BY relname DESC, name
$$;

COMMENT ON FUNCTION collector.indexes_to_make IS
    'Statements that make what searches need on days that are over; one that drops what a broken one left comes first.';

CREATE FUNCTION collector.drop_days(now_at timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    name text;
    before timestamptz;
    dropped integer := 0;
BEGIN
    SELECT now_at - make_interval(days => max(days)) INTO before FROM collector.retention
        WHERE EXISTS (SELECT FROM collector.retention WHERE pattern = '*');
    SET LOCAL lock_timeout = '3s';
    FOR name IN
        SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
        WHERE inhparent = 'collector.events'::regclass AND part.relname NOT IN ('events_past', 'events_future')
            AND substring(pg_get_expr(part.relpartbound, part.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= before
    LOOP
        EXECUTE format('DROP TABLE collector.%I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION collector.drop_days IS 'Drops the days that are over for every dataset; returns how many.';

-- The way to it: each kind of server ------------------------------------------------------------------------------------

DO $$
DECLARE
    sessions text;
    first timestamptz := date_trunc('day', now(), 'UTC');
BEGIN
    IF public.has_timescale() THEN
        RETURN;
    END IF;
    sessions := pg_get_viewdef('public.sessions'::regclass);
    IF EXISTS (SELECT FROM collector.events) THEN
        first := first + INTERVAL '24 hours';
    END IF;
    DROP FUNCTION collector.expire_events;
    DROP INDEX collector.events_minute;
    ALTER TABLE collector.events RENAME TO events_past;
    ALTER TABLE collector.events_past RENAME CONSTRAINT events_pkey TO events_past_pkey;
    ALTER INDEX collector.events_source_ip_time RENAME TO events_past_source_ip_time;

    CREATE TABLE collector.events (LIKE collector.events_past INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (time, id))
        PARTITION BY RANGE (time);
    CREATE INDEX events_source_ip_time ON collector.events (source_ip, time DESC) WHERE source_ip IS NOT NULL;
    EXECUTE format('CREATE TABLE collector.events_future PARTITION OF collector.events FOR VALUES FROM (%L) TO (MAXVALUE)', first);
    WITH ahead AS (DELETE FROM collector.events_past WHERE time >= first RETURNING *)
    INSERT INTO collector.events SELECT * FROM ahead;
    EXECUTE format('ALTER TABLE collector.events ATTACH PARTITION collector.events_past FOR VALUES FROM (MINVALUE) TO (%L)', first);
    COMMENT ON TABLE collector.events IS 'One row an event, a partition a day. `fields` holds all ECS fields but time, id and dataset.';
    COMMENT ON TABLE collector.events_past IS 'What happened before the first day that has a partition of its own.';
    COMMENT ON TABLE collector.events_future IS 'What is said to happen after tomorrow.';

    CREATE TABLE collector.severities_per_minute (
        bucket timestamptz NOT NULL, dataset text NOT NULL, severity text NOT NULL, events bigint NOT NULL,
        PRIMARY KEY (bucket, dataset, severity)
    ) WITH (fillfactor = 80);
    CREATE TABLE collector.events_per_hour (
        bucket timestamptz NOT NULL, dataset text NOT NULL, severity text NOT NULL, host text NOT NULL, events bigint NOT NULL,
        PRIMARY KEY (bucket, dataset, severity, host)
    ) WITH (fillfactor = 80);
    CREATE TABLE collector.rolled_sources (
        bucket timestamptz NOT NULL, source_ip inet NOT NULL, events bigint NOT NULL, failures bigint NOT NULL,
        PRIMARY KEY (bucket, source_ip)
    ) WITH (fillfactor = 80);
    CREATE TABLE collector.sources_rolled_up (until timestamptz NOT NULL);
    INSERT INTO collector.sources_rolled_up VALUES ('-infinity');
    INSERT INTO collector.severities_per_minute
        SELECT collector.minute(time), dataset, severity, count(*) FROM collector.events GROUP BY 1, 2, 3;
    INSERT INTO collector.events_per_hour
        SELECT collector.hour(time), dataset, severity, coalesce(host, ''), count(*) FROM collector.events GROUP BY 1, 2, 3, 4;
    CREATE TRIGGER count_events AFTER INSERT ON collector.events
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION collector.count_events();
    PERFORM collector.add_days(date_trunc('day', now(), 'UTC') + INTERVAL '72 hours');

    CREATE OR REPLACE VIEW collector.events_per_minute AS
        SELECT bucket, dataset, sum(events)::bigint AS events FROM collector.severities_per_minute GROUP BY 1, 2;
    CREATE VIEW collector.sources_per_hour AS
        SELECT bucket, source_ip, events, failures FROM collector.rolled_sources
        UNION ALL
        SELECT collector.hour(time), source_ip, count(*), count(*) FILTER (WHERE outcome = 'failure')
        FROM collector.events
        WHERE time >= (SELECT until FROM collector.sources_rolled_up) AND source_ip IS NOT NULL
        GROUP BY 1, 2;
    EXECUTE 'CREATE OR REPLACE VIEW public.sessions AS ' || sessions;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    IF NOT public.has_timescale() THEN
        RETURN;
    END IF;
    DROP FUNCTION collector.expire_events, collector.count_events;
    CREATE OR REPLACE FUNCTION collector.add_days(until timestamptz) RETURNS integer LANGUAGE sql RETURN 0;
    CREATE OR REPLACE FUNCTION collector.drop_days(now_at timestamptz) RETURNS integer LANGUAGE sql RETURN 0;
    CREATE OR REPLACE FUNCTION collector.roll_up_sources(until_at timestamptz) RETURNS timestamptz
        LANGUAGE sql RETURN NULL::timestamptz;
    CREATE OR REPLACE FUNCTION collector.indexes_to_make(now_at timestamptz) RETURNS TABLE (statement text)
        LANGUAGE sql STABLE AS 'SELECT NULL::text WHERE false';
    CREATE OR REPLACE FUNCTION collector.follow_retention() RETURNS void
        LANGUAGE plpgsql
        AS $body$
    DECLARE
        longest integer := (SELECT max(days) FROM collector.retention);
        shortest integer := (SELECT min(days) FROM collector.retention);
    BEGIN
        PERFORM remove_retention_policy('collector.events', if_exists => true);
        IF EXISTS (SELECT FROM collector.retention WHERE pattern = '*') THEN
            PERFORM add_retention_policy('collector.events', make_interval(days => longest));
        END IF;
        -- A refresh of what was deleted would empty the counts, so it ends before that.
        PERFORM alter_job(job_id, config => jsonb_set(
                config, '{start_offset}', to_jsonb(make_interval(days => greatest(shortest - 2, 1))::text)
            ))
            FROM timescaledb_information.jobs WHERE proc_name = 'policy_refresh_continuous_aggregate';
    END
    $body$;
    CREATE MATERIALIZED VIEW collector.severities_per_minute
        WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
        SELECT time_bucket(INTERVAL '1 minute', time) AS bucket, dataset, severity, count(*) AS events
        FROM collector.events GROUP BY 1, 2, 3 WITH NO DATA;
    CREATE MATERIALIZED VIEW collector.events_per_hour
        WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
        SELECT time_bucket(INTERVAL '1 hour', time) AS bucket, dataset, severity, coalesce(host, '') AS host, count(*) AS events
        FROM collector.events GROUP BY 1, 2, 3, 4 WITH NO DATA;
    CREATE MATERIALIZED VIEW collector.sources_per_hour
        WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
        SELECT time_bucket(INTERVAL '1 hour', time) AS bucket, source_ip, count(*) AS events,
            count(*) FILTER (WHERE outcome = 'failure') AS failures
        FROM collector.events WHERE source_ip IS NOT NULL GROUP BY 1, 2 WITH NO DATA;
    FOREACH name IN ARRAY ARRAY['severities_per_minute', 'events_per_hour', 'sources_per_hour'] LOOP
        PERFORM add_continuous_aggregate_policy(
            ('collector.' || name)::regclass,
            start_offset => INTERVAL '88 days',
            end_offset => CASE name WHEN 'severities_per_minute' THEN INTERVAL '1 minute' ELSE INTERVAL '1 hour' END,
            schedule_interval => CASE name WHEN 'severities_per_minute' THEN INTERVAL '1 minute' ELSE INTERVAL '10 minutes' END,
            buckets_per_batch => CASE name WHEN 'severities_per_minute' THEN 1440 ELSE 24 END
        );
        PERFORM add_retention_policy(('collector.' || name)::regclass, INTERVAL '400 days');
    END LOOP;
    PERFORM collector.follow_retention();
END
$$;

CREATE FUNCTION collector.expire_counts(before timestamptz) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    gone bigint;
    total bigint := 0;
BEGIN
    IF NOT public.has_timescale() THEN
        DELETE FROM collector.severities_per_minute WHERE bucket < before;
        GET DIAGNOSTICS total = ROW_COUNT;
        DELETE FROM collector.events_per_hour WHERE bucket < before;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
        DELETE FROM collector.rolled_sources WHERE bucket < before;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
    END IF;
    RETURN total;
END
$$;

COMMENT ON FUNCTION collector.expire_counts IS 'Deletes counts before an instant; on TimescaleDB policies do.';

-- What others may read ---------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW public.events AS
    SELECT time, id, dataset, action, outcome, source_ip, user_name, fields, inserted_at, severity, host,
        collector.text_of(fields) AS text, collector.words_of(collector.text_of(fields)) AS words
    FROM collector.events;

COMMENT ON COLUMN public.events.words IS 'Of `text`, which is message, URL and command line; days that are over have an index.';

CREATE VIEW public.severities_per_minute AS
    SELECT bucket, dataset, severity, events FROM collector.severities_per_minute;

CREATE VIEW public.events_per_hour AS
    SELECT bucket, dataset, severity, host, events FROM collector.events_per_hour;

CREATE VIEW public.sources_per_hour AS
    SELECT bucket, source_ip, events, failures FROM collector.sources_per_hour;

COMMENT ON VIEW public.sources_per_hour IS
    'Events by address and hour, to be added up: the latest hour may have two rows. Failures have that outcome.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') THEN
        GRANT SELECT ON public.severities_per_minute, public.events_per_hour, public.sources_per_hour TO sakimori_reader;
    END IF;
END
$$;
