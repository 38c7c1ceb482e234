"""The processes of an instance: what serves and, before it, what supervises and what is invoked at the start."""
