"""Keys, hashes and signatures: what keeps secrets secret and tells a true token from a made-up one."""
