-- The packet-sensor's: every device that was seen, one row a MAC address.

CREATE SCHEMA sensor;

CREATE TABLE sensor.devices (
    mac text PRIMARY KEY,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    is_online boolean NOT NULL,
    ip inet,
    hostname text,
    vendor text,
    is_random boolean NOT NULL,
    type text NOT NULL,
    family text,
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    model text,
    model_probability double precision CHECK (model_probability BETWEEN 0 AND 1),
    os text,
    evidence jsonb NOT NULL DEFAULT '[]',
    offers jsonb NOT NULL DEFAULT '[]',
    uses jsonb NOT NULL DEFAULT '[]',
    peers jsonb NOT NULL DEFAULT '[]',
    trust double precision NOT NULL CHECK (trust BETWEEN 0 AND 1),
    trust_reasons jsonb NOT NULL DEFAULT '[]',
    troubled_at timestamptz,
    memory bytea,
    updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN sensor.devices.mac IS 'As events write it: 00-00-5E-00-53-01.';
COMMENT ON COLUMN sensor.devices.is_random IS 'Locally administered: made up by the device, so it names no vendor.';
COMMENT ON COLUMN sensor.devices.trust IS 'From what is visible in its traffic alone; findings and operators come on top (api-gateway).';
COMMENT ON COLUMN sensor.devices.troubled_at IS 'When its traffic last showed something that costs trust; null: never.';
COMMENT ON COLUMN sensor.devices.memory IS 'What the sensor needs to go on with the device after a restart; its own format.';

CREATE INDEX devices_last_seen_at ON sensor.devices (last_seen_at DESC);

CREATE TABLE sensor.device_addresses (
    mac text NOT NULL REFERENCES sensor.devices ON DELETE CASCADE,
    ip inet NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (mac, ip)
);

CREATE INDEX device_addresses_ip ON sensor.device_addresses (ip);

CREATE TABLE sensor.device_hours (
    mac text NOT NULL REFERENCES sensor.devices ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    sent_bytes bigint NOT NULL CHECK (sent_bytes >= 0),
    received_bytes bigint NOT NULL CHECK (received_bytes >= 0),
    sent_packets bigint NOT NULL CHECK (sent_packets >= 0),
    received_packets bigint NOT NULL CHECK (received_packets >= 0),
    flows bigint NOT NULL CHECK (flows >= 0),
    PRIMARY KEY (mac, hour)
);

COMMENT ON TABLE sensor.device_hours IS 'Traffic by hour, of flows that were reported in it; kept for 90 days.';

CREATE INDEX device_hours_hour ON sensor.device_hours (hour);

CREATE FUNCTION sensor.expire_device_hours(before timestamptz, at_most integer) RETURNS bigint
    LANGUAGE sql
    BEGIN ATOMIC
        WITH expired AS (
            SELECT mac, hour FROM sensor.device_hours WHERE hour < before ORDER BY hour LIMIT at_most
        ), deleted AS (
            DELETE FROM sensor.device_hours AS hours USING expired
            WHERE hours.mac = expired.mac AND hours.hour = expired.hour
            RETURNING 1
        )
        SELECT count(*) FROM deleted;
    END;

CREATE VIEW public.devices AS
    SELECT mac, first_seen_at, last_seen_at, is_online, ip, hostname, vendor, is_random, type, family, probability, model,
        model_probability, os, evidence, offers, uses, peers, trust, trust_reasons, troubled_at, updated_at
    FROM sensor.devices;

CREATE VIEW public.device_addresses AS SELECT mac, ip, first_seen_at, last_seen_at FROM sensor.device_addresses;

CREATE VIEW public.device_hours AS
    SELECT mac, hour, sent_bytes, received_bytes, sent_packets, received_packets, flows FROM sensor.device_hours;

-- Flows as sessions. Events come from elsewhere, too, so a field that is no number is none.

CREATE FUNCTION collector.whole(value jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN jsonb_typeof(value) = 'number' THEN
            CASE WHEN value::numeric BETWEEN 0 AND 9000000000000000000 THEN trunc(value::numeric)::bigint END
    END;

CREATE VIEW public.sessions AS
    SELECT
        time AS started_at,
        id,
        time + make_interval(secs => coalesce(collector.whole(fields -> 'event.duration'), 0) / 1e9) AS ended_at,
        coalesce(collector.whole(fields -> 'event.duration'), 0) / 1e9 AS duration_seconds,
        source_ip,
        fields ->> 'source.mac' AS source_mac,
        collector.whole(fields -> 'source.port') AS source_port,
        fields ->> 'destination.ip' AS destination_ip,
        fields ->> 'destination.mac' AS destination_mac,
        collector.whole(fields -> 'destination.port') AS destination_port,
        coalesce(fields ->> 'network.transport', fields ->> 'network.iana_number') AS transport,
        fields ->> 'network.protocol' AS protocol,
        coalesce(collector.whole(fields -> 'source.bytes'), 0) AS sent_bytes,
        coalesce(collector.whole(fields -> 'destination.bytes'), 0) AS received_bytes,
        coalesce(collector.whole(fields -> 'source.packets'), 0) AS sent_packets,
        coalesce(collector.whole(fields -> 'destination.packets'), 0) AS received_packets,
        fields ->> 'sakimori.flow.state' AS state,
        coalesce(fields -> 'sakimori.flow.is_encrypted' = 'true', false) AS is_encrypted,
        fields ->> 'network.community_id' AS community_id,
        fields ->> 'observer.name' AS observer
    FROM collector.events
    WHERE dataset = 'network.flow';

CREATE VIEW public.session_ends AS
    SELECT started_at, host(source_ip) AS ip, sent_bytes AS sent, received_bytes AS received
    FROM public.sessions
    WHERE source_ip IS NOT NULL
    UNION ALL
    SELECT started_at, destination_ip, received_bytes, sent_bytes
    FROM public.sessions
    WHERE destination_ip IS NOT NULL;

COMMENT ON VIEW public.session_ends IS 'Each session twice: once as either end has it.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sakimori_reader') THEN
        GRANT SELECT ON public.devices, public.device_addresses, public.device_hours, public.sessions,
            public.session_ends TO sakimori_reader;
    END IF;
END
$$;
