-- score_totals: a moderator's points are added to what a player has on `main`. The row is held until the transaction ends; a batch with
-- updates of this player waits, and adds to what is there by then. :user_id text, :points bigint
-- Answers the total.

INSERT INTO score_totals (user_id, total, epoch)
VALUES (:user_id, CAST(:points AS bigint), (SELECT last_value FROM reconciliation_epoch))
ON CONFLICT (user_id) DO UPDATE
SET total = score_totals.total + excluded.total, epoch = excluded.epoch, updated_at = now()
RETURNING total
