-- The notifier's: what was sent where, and what is held back.

CREATE SCHEMA notifier;

CREATE TABLE notifier.deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finding_id text NOT NULL,
    channel text NOT NULL,
    reminder integer NOT NULL DEFAULT 0 CHECK (reminder >= 0),
    status text NOT NULL CHECK (status IN ('pending', 'sent', 'suppressed', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    suppression_key text NOT NULL,
    payload jsonb NOT NULL,
    UNIQUE (finding_id, channel, reminder),
    CHECK ((status = 'sent') = (delivered_at IS NOT NULL))
);

COMMENT ON TABLE notifier.deliveries IS
    'One row a notice. A finding keeps its id while its window lasts, so neither a redelivery nor an update of it makes a second.';
COMMENT ON COLUMN notifier.deliveries.reminder IS '0 for the first notice; 1, 2, ... where nobody acknowledged it.';
COMMENT ON COLUMN notifier.deliveries.payload IS 'The finding as it was told.';

CREATE INDEX deliveries_due ON notifier.deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_created_at ON notifier.deliveries (created_at DESC);

CREATE TABLE notifier.suppressions (
    key text PRIMARY KEY,
    until timestamptz NOT NULL,
    suppressed bigint NOT NULL DEFAULT 0 CHECK (suppressed >= 0)
);

COMMENT ON TABLE notifier.suppressions IS 'Notices of the same key are held back, and counted, until then.';

CREATE VIEW public.deliveries AS
    SELECT id, finding_id, channel, reminder, status, attempts, next_attempt_at, last_error, created_at, delivered_at,
        suppression_key
    FROM notifier.deliveries;
