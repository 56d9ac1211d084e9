-- What the login backend needs. The words are those of the first step.

-- News for webhooks. One that is tried no more is never due.
CREATE TABLE notice (
    number <i64> PRIMARY KEY,
    due_at <i64>,
    body <text> NOT NULL
) <table>;

-- Neither the dead nor the bodies are in the way of finding what is due, in the order of numbers.
CREATE INDEX notice_waiting ON notice (number, due_at) WHERE due_at IS NOT NULL;

CREATE INDEX notice_dead ON notice (number) WHERE due_at IS NULL;

-- The three indexes below hold few rows, and none that an exchange of a code writes.

-- The devices of a user (kind 12).
CREATE INDEX ticket_of_user ON ticket (user_id)
WHERE kind = 12 AND user_id IS NOT NULL;

-- Work that waits for its time: erasures, readings of profiles, merges (kinds 17 to 19). What is
-- done of it is kept for more than a year, and is not in the way.
CREATE INDEX ticket_open_by_end ON ticket (kind, expires_at)
WHERE kind IN (17, 18, 19) AND taken_at IS NULL AND revoked_at IS NULL;

-- What a user did that concerns no client.
CREATE INDEX event_of_user ON event (user_id, number)
WHERE client_id IS NULL AND user_id IS NOT NULL;
