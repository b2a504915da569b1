-- Rooms of the chat and what operators decided about them. Messages stay in Valkey, the last of each room.

CREATE SCHEMA chat;

CREATE TABLE chat.rooms (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$'),
    policy jsonb NOT NULL DEFAULT '{}',
    is_open boolean NOT NULL DEFAULT true,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);

COMMENT ON COLUMN chat.rooms.policy IS 'RoomPolicy of the chat, as JSON; what it does not name has its default.';

CREATE FUNCTION chat.tell_of_rooms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('chat_rooms', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER rooms_are_told AFTER INSERT OR UPDATE OR DELETE ON chat.rooms
    FOR EACH STATEMENT EXECUTE FUNCTION chat.tell_of_rooms();
