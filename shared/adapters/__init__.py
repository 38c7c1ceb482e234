"""The technologies behind the ports; client errors are translated here and go no further."""
