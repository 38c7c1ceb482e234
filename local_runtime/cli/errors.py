"""Expected problems of a verb, and the exit codes all verbs share."""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


class CliError(Exception):
    """The message says what is wrong and what to do; the verb ends with `exit_code`."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StdoutFailed(CliError):
    """What the verb prints does not arrive: the disk it goes to is full, say."""
