"""What several suites use: the product as a child process, and clients to speak to it."""
