"""What the host of the functions offers them beyond Lambda: objects that a setting names as `module:name`."""

from __future__ import annotations

import importlib
from typing import Any

from shared.core.errors import ConfigurationError


def find_hook(setting: str, hook: str) -> Any:
    """The object that `hook`, the value of a setting, names; raises ConfigurationError."""
    module, _, name = hook.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{setting} cannot be used: {error}") from None
