-- Bots that are, or were last, connected, and how they answered pings. Written by the chat every few seconds.

CREATE TABLE chat.bot_sessions (
    bot_id text PRIMARY KEY REFERENCES chat.bots ON DELETE CASCADE,
    session_id text NOT NULL,
    transport text NOT NULL,
    observer text NOT NULL,
    opened_at timestamptz NOT NULL,
    ended_at timestamptz,
    ending text NOT NULL DEFAULT ''
);

COMMENT ON TABLE chat.bot_sessions IS 'The newest session of each bot; it is open where ended_at is NULL and the bot was heard within 90 s (chat.bots.last_ping_at).';
COMMENT ON COLUMN chat.bot_sessions.ending IS 'Why it ended: left, replaced, ping_timeout, session_expired, bot_blocked, ...';

CREATE TABLE chat.bot_pings (
    bot_id text NOT NULL REFERENCES chat.bots ON DELETE CASCADE,
    at timestamptz NOT NULL,
    rtt_milliseconds real,
    memory_bytes bigint,
    queue bigint,
    rooms bigint,
    PRIMARY KEY (bot_id, at)
);

COMMENT ON TABLE chat.bot_pings IS 'One row an answered ping, every 30 s or so of each bot that is connected; kept for a week.';
COMMENT ON COLUMN chat.bot_pings.rtt_milliseconds IS 'NULL: no answer came, and the session was ended for it.';

CREATE INDEX bot_pings_at ON chat.bot_pings (at);
