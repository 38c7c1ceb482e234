-- installation, installation_keys: the installation, a row for each key; one row without a key where there are none.

SELECT i.installation_id, k.purpose, k.key_id, k.fingerprint, CAST(EXTRACT(EPOCH FROM now() - k.retired_at) AS float8)
FROM installation i
LEFT JOIN installation_keys k ON true
ORDER BY k.purpose, k.first_used_at, k.key_id
