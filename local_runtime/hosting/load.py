"""What every hosting process does first: get the manifest, which is the template with what the instance provides.

To read the template takes a tenth of a second, so the supervisor does it once for all its processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from local_runtime.hosting.manifest import Manifest
from local_runtime.settings import InstanceSettings, SettingsError

KEPT = "SCOREBOARD_MANIFEST"  # the file in which the supervisor keeps it


def encoded(manifest: Manifest) -> bytes:
    """For the file that KEPT names. Variables of functions are in it: only its owner may read it."""
    return msgspec.msgpack.encode(manifest, enc_hook=str)  # what it does not know are paths


def load_manifest(settings: InstanceSettings, environment: Mapping[str, str]) -> Manifest:
    """Read `settings.template`, for the roles of the instance.

    Raises the reader's error, which lists every problem, and SettingsError with the names of variables whose values the
    template does not allow.

    A template parameter takes its value from the variable of the same meaning: `RedisUrl` from `REDIS_URL`. Every variable
    of the environment also counts as provided, for it beats what the template gives the functions.
    """
    from local_runtime.hosting.template import RefusedParameters, read_template

    try:
        manifest = read_template(settings.template, parameters=parameters_from(environment), provided=environment)
    except RefusedParameters as error:
        names = {_camel_case(name): name for name in environment}
        raise SettingsError("\n".join(f"{names[name]}: {wanted}" for name, wanted in error.refused.items())) from None
    return manifest.for_roles(settings.roles)


def kept_manifest(settings: InstanceSettings, environment: Mapping[str, str]) -> Manifest:
    """What the supervisor of this process has kept; read anew where there is none. Raises what load_manifest raises."""
    with suppress(FileNotFoundError, KeyError):  # somebody has removed it, or started this process by hand
        kept = Path(environment[KEPT]).read_bytes()
        return msgspec.msgpack.decode(kept, type=Manifest, dec_hook=lambda kind, text: kind(text))
    return load_manifest(settings, environment)


def parameters_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Spell variables as template parameters: `{"REDIS_URL": "…"}` becomes `{"RedisUrl": "…"}`."""
    return {_camel_case(name): value for name, value in environment.items() if name.isupper() and name.isascii()}


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
