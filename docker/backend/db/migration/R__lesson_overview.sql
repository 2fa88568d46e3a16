SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE OR REPLACE VIEW lesson_overview AS
SELECT
    l.id,
    l.slug,
    l.title,
    l.summary,
    l.language,
    l.price_paise,
    count(p.id) FILTER (WHERE p.status = 'succeeded') AS purchases
FROM lessons AS l
LEFT JOIN payments AS p ON p.lesson_id = l.id
GROUP BY l.id;
