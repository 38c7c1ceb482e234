"""`python -m local_runtime.processes.at_start`: invokes, in order, what the template wants invoked before anything is served."""

from __future__ import annotations

import logging
import os
import sys

from local_runtime.hosting.deadline import ProcessDeadline
from local_runtime.hosting.invoker import FunctionError, Invoker, PayloadTooLarge
from local_runtime.hosting.load import kept_manifest
from local_runtime.instance.supervisor.process import REFUSED
from local_runtime.logs.setup import configure_logs
from local_runtime.settings import InstanceSettings

logger = logging.getLogger(__name__)

EXIT_REFUSED = 2


def main() -> int:
    """Answers 1 at the first function that fails, EXIT_REFUSED when it says what the operator has to change."""
    configure_logs("at_start", os.environ)
    settings = InstanceSettings.from_environment()
    manifest = kept_manifest(settings, os.environ)
    invoker = Invoker(manifest, ProcessDeadline())
    invoker.prepare()
    for function in manifest.functions:
        if not function.invoke_at_start:
            continue
        try:
            result = invoker.invoke(function, manifest.start_event(function), trigger="start")
        except (FunctionError, PayloadTooLarge) as error:
            if isinstance(error, FunctionError) and error.is_for_the_operator:
                logger.error("%s", error.error_message, extra={REFUSED: function.name})  # noqa: TRY400 - written for the reader
                return EXIT_REFUSED
            logger.error("%s failed: %s", function.name, error, exc_info=error.__cause__)  # noqa: TRY400 - the cause's traceback
            return 1
        logger.info("%s: %s", function.name, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
