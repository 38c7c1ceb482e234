-- board_seasons: of each board and period the newest season that is not closed.

SELECT board_id, period, max(season) FROM board_seasons WHERE closed_at IS NULL GROUP BY board_id, period
