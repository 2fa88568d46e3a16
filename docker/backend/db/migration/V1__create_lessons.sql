SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE lessons (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    summary text NOT NULL,
    language text NOT NULL DEFAULT 'en',
    price_paise bigint NOT NULL DEFAULT 0 CHECK (price_paise >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN lessons.price_paise IS 'Price in paise (1/100 rupee); 0 is free.';
