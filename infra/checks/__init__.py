"""What `make check` holds the templates and the repository against, beside the code's own linters."""
