"""The cloud's stand-in: hosts the functions of infra/template.yaml on this machine."""
