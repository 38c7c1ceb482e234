"""List, read, sign, check, drop or restore months of ledger and audit log; for operators (`archive`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.core.errors import InvalidParameter
from shared.operations.archive import check_file, drop_part, list_parts, read_part, restore_part, sign_part
from shared.operations.check_seals import check_seals
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list"}`, `{"action": "read", "kind", "part", "after"?}`, `{"action": "sign", "kind", "part", "rows",
    "digest"}`, `{"action": "check" | "drop", "file"}`, `{"action": "seals", "seals", "contents"?}` or
    `{"action": "restore", "file", "lines", "begins"?, "ends"?, "attempt"?}`.

    Errors escape.
    """
    deps = container()
    match event.get("action"):
        case "list":
            return list_parts(deps.archive_parts)
        case "read":
            return read_part(event, deps.archive_parts)
        case "sign":
            return sign_part(event, deps.archive_parts, deps.seal_signer)
        case "check":
            return check_file(event, deps.archive_parts, deps.seal_signer)
        case "seals":
            return check_seals(event, deps.audit_chain)
        case "drop":
            return drop_part(event, deps.archive_parts, deps.seal_signer)
        case "restore":
            return restore_part(event, deps.archive_parts, deps.seal_signer)
    raise InvalidParameter("`action` must be `list`, `read`, `sign`, `check`, `seals`, `drop` or `restore`.")
