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

-- The two indexes below hold no row that an exchange of a code writes. Neither names when a ticket
-- was spent or revoked: an index that does so costs every exchange a fifth more, even one that
-- holds nothing.

-- The devices of a user (kind 12).
CREATE INDEX ticket_of_user ON ticket (user_id)
WHERE kind = 12 AND user_id IS NOT NULL;

-- What a user did that concerns no client.
CREATE INDEX event_of_user ON event (user_id, number)
WHERE client_id IS NULL AND user_id IS NOT NULL;
