"""The whole product as a child process."""
