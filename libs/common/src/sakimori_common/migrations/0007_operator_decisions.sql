-- The gateway's: decisions that operators take, and when a password was last changed.

CREATE TABLE gateway.decisions (
    id text PRIMARY KEY,
    entity_type text NOT NULL,
    entity text NOT NULL,
    action text NOT NULL CHECK (action IN ('block', 'throttle', 'challenge')),
    rule_id text NOT NULL,
    finding_id text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    origin text NOT NULL,
    dry_run boolean NOT NULL DEFAULT false,
    reason text NOT NULL,
    published_at timestamptz
);

COMMENT ON COLUMN gateway.decisions.expires_at IS 'Not after created_at: the decision lifts the earlier ones of the same entity and action.';
COMMENT ON COLUMN gateway.decisions.published_at IS 'Null until the bus has it; the gateway tries again until then.';

CREATE INDEX operator_decisions_entity ON gateway.decisions (entity_type, entity, created_at DESC);
CREATE INDEX operator_decisions_expires_at ON gateway.decisions (expires_at);
CREATE INDEX operator_decisions_unpublished ON gateway.decisions (created_at) WHERE published_at IS NULL;

CREATE OR REPLACE VIEW public.decisions AS
    SELECT id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run,
        reason, lift.lifted_at
    FROM (
        SELECT id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run,
            NULL::text AS reason
        FROM detector.decisions
        UNION ALL
        SELECT id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run, reason
        FROM gateway.decisions
    ) AS taken
    LEFT JOIN LATERAL (
        SELECT min(gateway.decisions.created_at) AS lifted_at
        FROM gateway.decisions
        WHERE gateway.decisions.entity_type = taken.entity_type AND gateway.decisions.entity = taken.entity
            AND gateway.decisions.action = taken.action AND gateway.decisions.id <> taken.id
            AND gateway.decisions.expires_at <= gateway.decisions.created_at
            AND gateway.decisions.created_at >= taken.created_at
    ) AS lift ON true;

COMMENT ON COLUMN public.decisions.lifted_at IS 'When an operator ended it before it expired.';

ALTER TABLE gateway.users ADD COLUMN password_changed_at timestamptz NOT NULL DEFAULT now();

COMMENT ON COLUMN gateway.users.password_changed_at IS 'Tokens issued before are refused.';

CREATE INDEX audit_target ON gateway.audit (target, at);
