SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

-- One row for each event Stripe delivered; the key is what makes a second delivery harmless.
CREATE TABLE stripe_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    api_version text,
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE payments (
    id text PRIMARY KEY,
    user_id bigint REFERENCES users (id),
    lesson_id bigint REFERENCES lessons (id),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    status text NOT NULL,
    last_event_id text NOT NULL REFERENCES stripe_events (id),
    last_event_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN payments.amount IS 'In the smallest unit of the currency, as Stripe counts.';
COMMENT ON COLUMN payments.last_event_at IS 'When Stripe made the event; an older event never overwrites a newer.';
