"""`python -m infra.documents`: what is generated from the code (`--check` compares instead)."""
