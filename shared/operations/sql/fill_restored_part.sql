-- part_of_archive and restored_part, which stand for a part and the table that its rows were loaded into. Answers how many there are.

WITH filled AS (
    INSERT INTO part_of_archive SELECT * FROM restored_part ORDER BY id RETURNING id
)
SELECT count(*) FROM filled
