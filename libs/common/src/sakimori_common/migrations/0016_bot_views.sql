-- Reports on bots, under the names they had on the earlier server: kb_* for its tables, v_* for its views. All are views over
-- events, findings and the registry, so nothing is kept twice. An event may stand for several (`attempts`): they are added up.

CREATE FUNCTION public.report_time_zone() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(pg_catalog.current_setting('sakimori.time_zone', true), ''), 'Asia/Seoul');

COMMENT ON FUNCTION public.report_time_zone IS
    'Whose midnight begins a day of a report. ALTER DATABASE (or ROLE) ... SET sakimori.time_zone = ''Asia/Tokyo'' changes it.';

CREATE FUNCTION public.report_day() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN date_trunc('day', now(), public.report_time_zone());

COMMENT ON FUNCTION public.report_day IS 'When today began in the zone of reports.';

-- Few of all events are of bots, and reports should not read the others. It costs nothing to write those.
CREATE INDEX events_of_bots ON collector.events (time) WHERE dataset IN ('bot.message', 'bot.security');

CREATE VIEW public.kb_bot_devices AS
    SELECT id AS device_id, name AS device_name, status, last_ping_at AS last_ping, blocked_reason, blocked_at
    FROM chat.bots;

CREATE VIEW public.kb_chat_logs AS
    SELECT
        fields ->> 'device.id' AS device_id,
        fields ->> 'chat.room' AS room,
        CASE outcome WHEN 'success' THEN 'success' ELSE 'failed' END AS status,
        substr(action, 5) AS event,
        time AS created_at,
        greatest(coalesce(collector.whole(fields -> 'bot.attempts'), 1), 1)::bigint AS attempts
    FROM collector.events
    WHERE dataset IN ('bot.message', 'bot.security')
        AND action IN (
            'bot.message_received', 'bot.data_read', 'bot.connected', 'bot.handshake_refused', 'bot.frame_refused',
            'bot.hmac_failed', 'bot.replay_refused', 'bot.unauthorized', 'bot.rate_limit_hit', 'bot.room_refused',
            'bot.message_refused'
        );

COMMENT ON VIEW public.kb_chat_logs IS
    'What bots asked for, what became of it, and for how many such requests the row stands; event: the action without `bot.`.';

CREATE VIEW public.kb_connection_logs AS
    SELECT
        source_ip AS ip_address,
        CASE outcome WHEN 'success' THEN 'success' ELSE 'failed' END AS status,
        time AS created_at,
        greatest(coalesce(collector.whole(fields -> 'bot.attempts'), 1), 1)::bigint AS attempts
    FROM collector.events
    WHERE dataset IN ('bot.message', 'bot.security') AND source_ip IS NOT NULL
        AND (
            action IN ('bot.connected', 'bot.handshake_refused', 'bot.hmac_failed', 'bot.replay_refused', 'bot.unauthorized')
            -- By HTTP each request proves anew who asks.
            OR (action IN ('bot.message_received', 'bot.data_read') AND fields ->> 'bot.transport' = 'http')
        );

COMMENT ON VIEW public.kb_connection_logs IS
    'Who came in as a bot or tried to: handshakes of sessions, requests by HTTP. What happens within a session is none.';

CREATE VIEW public.kb_query_logs AS
    SELECT device_id, created_at, attempts FROM public.kb_chat_logs WHERE event = 'data_read';

CREATE VIEW public.kb_suspicious_activities AS
    SELECT
        entity AS device_id,
        coalesce(details ->> 'pattern', rule_id) AS pattern_type,
        details || jsonb_build_object(
            'finding_id', id, 'severity', severity, 'count', count, 'first_seen_at', first_seen_at, 'last_seen_at', last_seen_at
        ) AS metadata,
        created_at
    FROM public.findings
    WHERE entity_type = 'device.id' AND dataset IN ('bot.message', 'bot.security');

COMMENT ON VIEW public.kb_suspicious_activities IS 'Findings about bots.';

CREATE VIEW public.v_daily_security_report AS
    SELECT
        devices.device_id,
        coalesce(devices.device_name, '(not registered)') AS device_name,
        sum(logs.attempts)::bigint AS total_requests,
        count(DISTINCT logs.room) AS unique_rooms,
        coalesce(sum(logs.attempts) FILTER (WHERE logs.status = 'failed'), 0)::bigint AS failed_requests,
        coalesce(sum(logs.attempts) FILTER (WHERE logs.event IN ('hmac_failed', 'replay_refused')), 0)::bigint AS hmac_failures,
        max(logs.created_at) AS last_activity
    FROM public.kb_chat_logs AS logs
    LEFT JOIN public.kb_bot_devices AS devices USING (device_id)
    WHERE logs.created_at >= now() - INTERVAL '24 hours'
    GROUP BY devices.device_id, devices.device_name
    HAVING sum(logs.attempts) FILTER (WHERE logs.status = 'failed') > 10
        OR bool_or(logs.event IN ('hmac_failed', 'replay_refused'))
    ORDER BY failed_requests DESC, total_requests DESC;

COMMENT ON VIEW public.v_daily_security_report IS
    'Bots of the last 24 hours with over ten failed requests or any failed signature. All that claimed ids nobody registered is one row.';

CREATE VIEW public.v_hourly_activity_pattern AS
    SELECT
        hours.hour,
        coalesce(sum(logs.attempts), 0)::bigint AS request_count,
        count(DISTINCT logs.device_id) FILTER (WHERE logs.status = 'success') AS active_devices,
        public.report_time_zone() AS time_zone
    FROM generate_series(0, 23) AS hours (hour)
    LEFT JOIN public.kb_chat_logs AS logs
        ON extract(hour FROM logs.created_at AT TIME ZONE public.report_time_zone())::integer = hours.hour
        AND logs.created_at >= now() - INTERVAL '168 hours'
    GROUP BY hours.hour
    ORDER BY hours.hour;

COMMENT ON VIEW public.v_hourly_activity_pattern IS
    'Requests of the last seven days by hour of the day in `time_zone`; active is a bot that was let in. Always 24 rows.';

CREATE VIEW public.v_ip_connection_attempts AS
    SELECT
        host(ip_address) AS ip,
        sum(attempts)::bigint AS attempts,
        coalesce(sum(attempts) FILTER (WHERE status = 'success'), 0)::bigint AS success,
        sum(attempts) FILTER (WHERE status = 'failed')::bigint AS failed,
        min(created_at) AS first_seen,
        max(created_at) AS last_seen
    FROM public.kb_connection_logs
    WHERE created_at >= now() - INTERVAL '24 hours'
    GROUP BY ip_address
    HAVING sum(attempts) FILTER (WHERE status = 'failed') > 5
    ORDER BY failed DESC, attempts DESC;

COMMENT ON VIEW public.v_ip_connection_attempts IS 'Addresses that failed to come in more than five times in the last 24 hours.';

CREATE VIEW public.v_bot_dashboard AS
    SELECT
        (
            SELECT count(*) FROM public.kb_bot_devices
            WHERE status = 'approved' AND last_ping >= now() - INTERVAL '5 minutes'
        ) AS active_bots,
        (
            SELECT coalesce(sum(attempts), 0)::bigint FROM public.kb_chat_logs WHERE created_at >= public.report_day()
        ) AS today_requests,
        (
            SELECT coalesce(sum(attempts), 0)::bigint FROM public.kb_chat_logs
            WHERE created_at >= now() - INTERVAL '1 hour' AND event IN ('hmac_failed', 'replay_refused')
        ) AS failed_auths,
        (
            SELECT count(*) FROM public.kb_suspicious_activities WHERE created_at >= public.report_day()
        ) AS suspicious_activities,
        public.report_time_zone() AS time_zone;

COMMENT ON VIEW public.v_bot_dashboard IS
    'Active: approved and heard of within five minutes. Today: since midnight in `time_zone`. Failed signatures of the last hour.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') THEN
        GRANT SELECT ON public.kb_bot_devices, public.kb_chat_logs, public.kb_connection_logs, public.kb_query_logs,
            public.kb_suspicious_activities, public.v_daily_security_report, public.v_hourly_activity_pattern,
            public.v_ip_connection_attempts, public.v_bot_dashboard TO sakimori_reader;
    END IF;
END
$$;
