"""The tests: real servers, the real program."""
