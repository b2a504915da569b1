-- The gateway's: who may sign in, what they say about findings, and what they did.

CREATE SCHEMA gateway;

CREATE TABLE gateway.users (
    name text PRIMARY KEY,
    password_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'analyst', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

CREATE TABLE gateway.triage (
    finding_id text PRIMARY KEY,
    status text NOT NULL
        CHECK (status IN ('open', 'acknowledged', 'investigating', 'mitigated', 'resolved', 'false_positive')),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    note text
);

CREATE TABLE gateway.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    old jsonb,
    new jsonb,
    address inet
);

CREATE INDEX audit_at ON gateway.audit (at DESC);

CREATE FUNCTION gateway.refuse_change_of_audit() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'gateway.audit is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON gateway.audit
    FOR EACH STATEMENT EXECUTE FUNCTION gateway.refuse_change_of_audit();

CREATE VIEW public.triaged_findings AS
    SELECT findings.id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at,
        last_seen_at, created_at, updated_at, count, tactics, techniques, evidence, why, response, details, trace_id,
        coalesce(triage.status, 'open') AS status, triage.changed_by, triage.changed_at, triage.note,
        created_at + CASE severity
            WHEN 'critical' THEN INTERVAL '0'
            WHEN 'high' THEN INTERVAL '1 hour'
            WHEN 'medium' THEN INTERVAL '4 hours'
            WHEN 'low' THEN INTERVAL '24 hours'
        END AS due_at
    FROM public.findings
    LEFT JOIN gateway.triage AS triage ON triage.finding_id = findings.id;

COMMENT ON COLUMN public.triaged_findings.due_at IS
    'When somebody must have acknowledged it, by Severity.response_seconds; null where nobody has to.';
