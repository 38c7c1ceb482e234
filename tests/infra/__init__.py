"""The template, the generated documents and how they are made."""
