"""Looks for secrets in every file of the repository; what was looked at and is none stands in known_findings.json."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KNOWN_FINDINGS = HERE / "known_findings.json"
OWN_DETECTOR = HERE / "payload_key_detector.py"
# Hashes of public packages, and what is generated from files that are looked at themselves.
NOT_SCANNED = ("requirements.txt", "package-lock.json", "openapi.json", KNOWN_FINDINGS.name)
# Those of services that a project like this one meets; more of them cost more than they find. Passwords are found by the names
# they are given to: ruff's S105 to S107.
DETECTORS: tuple[Mapping[str, object], ...] = (
    *(
        {"name": f"{name}Detector"}
        for name in ("AWSKey", "BasicAuth", "GitHubToken", "JwtToken", "PrivateKey", "PypiToken", "Slack")
    ),
    {"name": "Base64HighEntropyString", "limit": 4.5},
    {"name": "HexHighEntropyString", "limit": 3.0},
    {"name": "PayloadKeyDetector", "path": f"file://{OWN_DETECTOR}"},
)

NO_SECRETS = ("is_templated_secret", "is_potential_uuid", "is_sequential_string", "is_prefixed_with_dollar_sign")
EXAMPLES = "p|pw|password|secret|s3cret|"  # passwords that nobody has

Findings = dict[str, list[str]]


def files_to_scan(root: Path = ROOT) -> list[Path]:
    """What is committed or is about to be; without git, all but what tools keep in hidden directories."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        files = [root / name for name in listing.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for path in root.rglob("*") if not any(part.startswith(".") for part in path.relative_to(root).parts[:-1])]
    return [path for path in files if path.is_file() and path.name not in NOT_SCANNED and path.suffix != ".pyc"]


def scan(files: Iterable[Path], root: Path = ROOT) -> tuple[Findings, list[str]]:
    """Findings by file (a hash of each, so that lines may move), and where each stands, for people."""
    secrets = SecretsCollection(root=str(root))
    filters: list[dict[str, object]] = [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in NO_SECRETS]
    filters.append({"path": "detect_secrets.filters.regex.should_exclude_secret", "pattern": [f"^({EXAMPLES})$"]})
    with transient_settings({"plugins_used": list(DETECTORS), "filters_used": filters}):
        secrets.scan_files(*(str(path.relative_to(root)) for path in files))
    findings: Findings = {}
    places = []
    for name, secret in secrets:
        findings.setdefault(name, []).append(secret.secret_hash)
        places.append(f"{name}:{secret.line_number}: {secret.type}")
    return {name: sorted(set(hashes)) for name, hashes in sorted(findings.items())}, places


def unknown(findings: Mapping[str, Iterable[str]], known: Mapping[str, Iterable[str]]) -> list[str]:
    """The files with a finding that nobody has looked at."""
    return [name for name, hashes in findings.items() if set(hashes) - set(known.get(name, ()))]


def main(arguments: list[str]) -> int:
    """Answer 1 when something new looks like a secret; `--accept` notes it as looked at."""
    findings, places = scan(files_to_scan())
    if "--accept" in arguments:
        KNOWN_FINDINGS.write_text(json.dumps(findings, indent=2) + "\n", encoding="utf-8")
        return 0
    suspects = unknown(findings, json.loads(KNOWN_FINDINGS.read_text(encoding="utf-8")))
    for place in places:
        if place.partition(":")[0] in suspects:
            print(place)  # noqa: T201 - a command's output
    if suspects:
        print("looks like a secret; if it is none, say so: python -m infra.checks.secret_scan --accept")  # noqa: T201
    return 1 if suspects else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
