"""One execution environment: a process under Lambda's runtime client that is frozen whenever it has nothing to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, PayloadTooLarge
from local_runtime.hosting.manifest import Function
from tests.lambda_runtime.packages import Packages, interpreter
from tests.lambda_runtime.runtime_api import MAX_PAYLOAD_BYTES, Invocation, RuntimeApi
from tests.support.aws import ACCESS_KEY

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
RUNTIME = "python3.11"
_LOOK_SECONDS = 0.1
_INIT_SECONDS = 60.0  # Lambda's 10 s on a machine that has other things to do
_LOG_TAIL = 4000


class ExecutionEnvironment:
    """Takes one event at a time. The first one finds it starting, later ones thaw it; at the end of each it is frozen again."""

    def __init__(self, function: Function, packages: Packages, variables: Mapping[str, str]) -> None:
        self._function = function
        self._api = RuntimeApi()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as the process
        self._arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function.name}"
        self.started_at = time.perf_counter()
        self.process = subprocess.Popen(
            [*interpreter(), "-m", "awslambdaric", function.handler],
            cwd=packages.unpacked(function.name),
            env={**_reserved(function, packages, self._api.address), **variables},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def invoke(self, event: object, request_id: str | None = None) -> Any:
        """The handler's answer, through JSON. Raises FunctionError, FunctionTimedOut or PayloadTooLarge.

        Where it raises anything but the handler's own error, the environment is of no more use.
        """
        payload = json.dumps(event).encode()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLarge("request", len(payload))
        seconds = self._function.timeout_seconds
        invocation = Invocation(request_id or str(uuid4()), payload, self._arn, seconds)
        self._api.hand_over(invocation)
        self._signal(signal.SIGCONT)
        if not self._ends(invocation):
            self._kill()
            raise FunctionTimedOut(f"{self._function.name} did not end within {seconds} s")
        if invocation.error is None:
            self._freeze()
            return json.loads(invocation.answer or b"null")
        if invocation.error["errorType"] == "Function.ResponseSizeTooLarge":
            self._kill()
            raise PayloadTooLarge("response", MAX_PAYLOAD_BYTES + 1)
        self._freeze()
        raise FunctionError(invocation.error["errorType"], str(invocation.error["errorMessage"]))

    @property
    def is_usable(self) -> bool:
        """Whether it can take another event."""
        return self.process.poll() is None and self._api.init_error is None

    @property
    def is_frozen(self) -> bool:
        """Whether the kernel gives it no time."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    @property
    def whole_log(self) -> str:
        """What it wrote."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    @property
    def log(self) -> str:
        """The end of it."""
        return self.whole_log[-_LOG_TAIL:]

    def end(self) -> None:
        """Lambda takes it away without asking."""
        self._kill()
        self._api.close()
        self._log.close()

    def _kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _ends(self, invocation: Invocation) -> bool:
        """Also when the process ends instead of answering. How long it takes to begin has a limit of its own."""
        begins_by = time.monotonic() + _INIT_SECONDS
        while not invocation.ended.wait(_LOOK_SECONDS):
            if self.process.poll() is not None:
                invocation.fail("Runtime.ExitError", f"the runtime exited with {self.process.returncode}:\n{self.log}")
                continue
            taken_at = invocation.taken_at
            if time.monotonic() > (begins_by if taken_at is None else taken_at + invocation.seconds):
                return False
        return True

    def _freeze(self) -> None:
        """As soon as it asks for more; where it ended instead, there is nothing to freeze."""
        while not self._api.idle.wait(_LOOK_SECONDS):
            if self.process.poll() is not None:
                return
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)


def _reserved(function: Function, packages: Packages, runtime_api: str) -> dict[str, str]:
    """What Lambda sets, whatever the template says."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": packages.import_path(function.name),
        "LAMBDA_TASK_ROOT": str(packages.unpacked(function.name)),
        "LAMBDA_RUNTIME_DIR": str(packages.runtime),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY.key_id,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY.secret,
        "_HANDLER": function.handler,
    }
