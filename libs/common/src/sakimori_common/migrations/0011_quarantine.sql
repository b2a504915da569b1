-- The collector's: rejected lines with all that reading them again needs, and checkpoints that outlive several rotations.

ALTER TABLE collector.rejected_lines
    ADD COLUMN length bigint NOT NULL DEFAULT 0,
    ADD COLUMN identity text NOT NULL DEFAULT '',
    ADD COLUMN place bigint NOT NULL DEFAULT 0,
    ADD COLUMN path text NOT NULL DEFAULT '',
    ADD COLUMN context text NOT NULL DEFAULT '',
    ADD COLUMN zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN reader text NOT NULL DEFAULT 'line',
    ADD COLUMN stamp jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    ADD COLUMN tried_at timestamptz,
    ADD COLUMN is_sealed boolean NOT NULL DEFAULT false;

-- Those that are there already were kept without: they are read again as what they most likely are.
UPDATE collector.rejected_lines
SET length = octet_length(raw),
    identity = 'rejected:' || id,
    reader = CASE WHEN source LIKE 'http:%' THEN 'posted' ELSE 'line' END,
    path = CASE WHEN source LIKE 'http:%' THEN '' ELSE source END;

COMMENT ON COLUMN collector.rejected_lines.raw IS 'The first 64 KiB, encrypted (AES-256-GCM) where is_sealed.';
COMMENT ON COLUMN collector.rejected_lines.length IS 'Bytes of the whole line.';
COMMENT ON COLUMN collector.rejected_lines.identity IS 'Of the source; with place and line it gives the ids of events.';
COMMENT ON COLUMN collector.rejected_lines.context IS 'What headers before the line said, as its format keeps it.';
COMMENT ON COLUMN collector.rejected_lines.attempts IS 'Times it was replayed and rejected again.';
COMMENT ON COLUMN collector.rejected_lines.is_sealed IS 'False of lines from before there was encryption, until the collector starts.';

DROP INDEX collector.rejected_lines_received_at;
CREATE INDEX rejected_lines_received_at ON collector.rejected_lines (received_at, id);

-- Bounds what rejected lines take: the oldest go first.
CREATE FUNCTION collector.bound_rejected_lines(max_bytes bigint, at_most integer) RETURNS bigint
    LANGUAGE sql
    BEGIN ATOMIC
        WITH sized AS (
            SELECT id, received_at, sum(octet_length(raw)) OVER (ORDER BY received_at DESC, id DESC) AS newer_bytes
            FROM collector.rejected_lines
        ), deleted AS (
            DELETE FROM collector.rejected_lines WHERE id IN (
                SELECT id FROM sized WHERE newer_bytes > max_bytes ORDER BY received_at, id LIMIT at_most
            )
            RETURNING 1
        )
        SELECT count(*) FROM deleted;
    END;

ALTER TABLE collector.checkpoints
    ADD COLUMN node text NOT NULL DEFAULT '',
    ADD COLUMN identity text NOT NULL DEFAULT '',
    ADD COLUMN tail text NOT NULL DEFAULT '',
    ADD COLUMN modified_ns bigint NOT NULL DEFAULT 0,
    ADD COLUMN context text NOT NULL DEFAULT '',
    ADD COLUMN context_format text NOT NULL DEFAULT '',
    DROP CONSTRAINT checkpoints_pkey,
    ADD PRIMARY KEY (node, path);

UPDATE collector.checkpoints SET
    identity = 'file:' || device || ':' || inode || ':' || fingerprint,
    modified_ns = (extract(epoch FROM updated_at) * 1000000000)::bigint;

COMMENT ON COLUMN collector.checkpoints.node IS 'COLLECTOR_NODE: whose files these are.';
COMMENT ON COLUMN collector.checkpoints.identity IS 'What ids of events in this incarnation of the file are made of.';
COMMENT ON COLUMN collector.checkpoints.tail IS 'Digest of what stands right before the position: tells a copy of the file.';
COMMENT ON COLUMN collector.checkpoints.modified_ns IS 'When the file was last written, as of then: rotated files that are newer are unread.';
COMMENT ON COLUMN collector.checkpoints.context IS 'What headers in the file said; of a journal, its cursor.';
COMMENT ON COLUMN collector.checkpoints.context_format IS 'The format whose header that was.';
