SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

INSERT INTO lessons (slug, title, summary, language, price_paise) VALUES
    ('fractions', 'Fractions with rotis', 'Halves, quarters and why a bigger denominator is a smaller piece.', 'en', 0),
    ('photosynthesis', 'How a leaf cooks', 'Light, water and air become sugar: the recipe of every green plant.', 'en', 9900),
    ('compound-interest', 'Chakravriddhi byaj', 'Interest on interest, worked out on a savings book.', 'hi', 14900);
