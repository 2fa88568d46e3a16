-- CREATE INDEX CONCURRENTLY takes no lock that stops writers, and cannot run inside a transaction:
-- see the .conf file beside this script.
SET lock_timeout = '4s';
SET statement_timeout = '10min';

CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_lesson_id_idx ON payments (lesson_id);

RESET lock_timeout;
RESET statement_timeout;
