-- audit_signatures: that something was signed. :key_id :signed :mac text

INSERT INTO audit_signatures (key_id, signed, mac) VALUES (:key_id, :signed, :mac)
ON CONFLICT (key_id, signed, mac) DO NOTHING
