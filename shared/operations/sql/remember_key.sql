-- installation_keys: one key. :purpose :key_id :fingerprint text, :in_use boolean
-- When it was retired is kept while it stays retired.

INSERT INTO installation_keys AS known (purpose, key_id, fingerprint, retired_at)
VALUES (:purpose, :key_id, :fingerprint, CASE WHEN CAST(:in_use AS boolean) THEN NULL ELSE now() END)
ON CONFLICT (purpose, key_id) DO UPDATE
SET retired_at = CASE WHEN excluded.retired_at IS NULL THEN NULL ELSE coalesce(known.retired_at, excluded.retired_at) END
