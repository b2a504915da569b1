-- The detector's: a finding that is known under another id since an earlier event came late. The row stays, unseen, lest
-- a replica that is behind brings it back; a later finding may have the id again.

ALTER TABLE detector.findings ADD COLUMN replaced_until timestamptz;

COMMENT ON COLUMN detector.findings.replaced_until IS
    'What was last seen up to then belongs to the finding that replaced this one; null for most.';

CREATE OR REPLACE VIEW public.findings AS
    SELECT id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at, last_seen_at,
        created_at, updated_at, count, tactics, techniques, evidence, why, response, details, trace_id
    FROM detector.findings
    WHERE replaced_until IS NULL OR last_seen_at > replaced_until;
