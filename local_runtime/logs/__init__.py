"""How lines of the log look and where they go: JSON for files and machines, something to read for people at a terminal."""
