-- The detector's: findings and the decisions that follow from them (sakimori_common.contracts).

CREATE SCHEMA detector;

CREATE TABLE detector.findings (
    id text PRIMARY KEY,
    rule_id text NOT NULL,
    title text NOT NULL,
    message text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    entity_type text NOT NULL,
    entity text NOT NULL,
    dataset text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    count bigint NOT NULL CHECK (count > 0),
    tactics text[] NOT NULL DEFAULT '{}',
    techniques text[] NOT NULL DEFAULT '{}',
    evidence jsonb NOT NULL DEFAULT '{}',
    why text NOT NULL,
    response text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    trace_id text
);

CREATE INDEX findings_created_at ON detector.findings (created_at DESC, id DESC);
CREATE INDEX findings_rule_id ON detector.findings (rule_id, created_at DESC);
CREATE INDEX findings_entity ON detector.findings (entity_type, entity, created_at DESC);

CREATE TABLE detector.decisions (
    id text PRIMARY KEY,
    entity_type text NOT NULL,
    entity text NOT NULL,
    action text NOT NULL CHECK (action IN ('block', 'throttle', 'challenge')),
    rule_id text NOT NULL,
    finding_id text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    origin text NOT NULL,
    dry_run boolean NOT NULL DEFAULT false
);

COMMENT ON COLUMN detector.decisions.expires_at IS 'In the past: the decision lifts an earlier one of the same entity.';

CREATE INDEX decisions_created_at ON detector.decisions (created_at DESC, id DESC);
CREATE INDEX decisions_entity ON detector.decisions (entity_type, entity, created_at DESC);
CREATE INDEX decisions_expires_at ON detector.decisions (expires_at);

CREATE VIEW public.findings AS
    SELECT id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at, last_seen_at,
        created_at, updated_at, count, tactics, techniques, evidence, why, response, details, trace_id
    FROM detector.findings;

CREATE VIEW public.decisions AS
    SELECT id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run
    FROM detector.decisions;
