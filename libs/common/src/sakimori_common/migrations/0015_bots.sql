-- Bots that may use the chat, their secrets (sealed by the chat's key), and what became of them.

CREATE TABLE chat.bots (
    id text PRIMARY KEY CHECK (id ~ '^bot-[0-9a-f]{16}$'),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 20),
    look text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'denied', 'revoked', 'blocked')),
    rooms text[] NOT NULL DEFAULT '{}',
    contact text NOT NULL DEFAULT '' CHECK (char_length(contact) <= 200),
    registered_at timestamptz NOT NULL DEFAULT now(),
    last_ping_at timestamptz,
    blocked_reason text,
    blocked_at timestamptz
);

COMMENT ON COLUMN chat.bots.look IS 'What names are compared by: two that look alike have the same one.';
COMMENT ON COLUMN chat.bots.rooms IS 'Those it may use; while it is pending, those it asks for.';
COMMENT ON COLUMN chat.bots.last_ping_at IS 'When it last proved who it is; written every few seconds.';

CREATE UNIQUE INDEX bots_look ON chat.bots (look) WHERE status IN ('pending', 'approved', 'blocked');

CREATE TABLE chat.bot_secrets (
    bot_id text NOT NULL REFERENCES chat.bots ON DELETE CASCADE,
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (bot_id, secret_sha256)
);

COMMENT ON COLUMN chat.bot_secrets.secret_sha256 IS 'Names a secret without opening it; of 256 random bits, so there is nothing to guess.';
COMMENT ON COLUMN chat.bot_secrets.sealed IS 'AES-256-GCM under a key derived from CHAT_SECRET_KEY; signatures need the secret itself.';

CREATE TABLE chat.bot_changes (
    bot_id text NOT NULL REFERENCES chat.bots ON DELETE CASCADE,
    status text NOT NULL,
    changed_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX bot_changes_bot ON chat.bot_changes (bot_id, changed_at);

CREATE FUNCTION chat.tell_of_bots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('chat_bots', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER bots_are_told AFTER INSERT OR DELETE OR UPDATE OF name, status, rooms, blocked_reason ON chat.bots
    FOR EACH STATEMENT EXECUTE FUNCTION chat.tell_of_bots();

CREATE TRIGGER bot_secrets_are_told AFTER INSERT OR UPDATE OR DELETE ON chat.bot_secrets
    FOR EACH STATEMENT EXECUTE FUNCTION chat.tell_of_bots();
