-- The gateway's: what operators say about devices, which counts before what the sensor makes of them.

CREATE TABLE gateway.device_notes (
    mac text PRIMARY KEY,
    type text,
    description text,
    trust double precision CHECK (trust BETWEEN 0 AND 1),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
