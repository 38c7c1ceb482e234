"""Who did what stands in the audit log of the running product, a change to it is found, and it can be handed to an auditor."""

from __future__ import annotations

import json
import secrets
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER
from tests.support.api import PASSWORD, Player
from tests.support.product import ROOT, Product, query
from tests.support.waiting import eventually

CHANGED = 3


def verb(product: Product, name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", name, *arguments, "--data-dir", str(product.data_dir)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture(scope="module")
def admin(product: Product) -> Player:
    name = f"admin-{secrets.token_hex(6)}"
    made = verb(product, "create-user", name, "--role", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    tokens = product.api.post("/api/tokens", {"username": name, "password": PASSWORD}).data
    user_id = product.query("SELECT user_id FROM users WHERE username = :name", name=name)[0][0]
    return Player(product.api, user_id, name, "", tokens["accessToken"], tokens["refreshToken"])


def entries(admin: Player, **wanted: str) -> list[dict[str, Any]]:
    filters = "&".join(f"{name}={value}" for name, value in wanted.items())
    found: list[dict[str, Any]] = admin.get(f"/api/admin/audit-log?{filters}").data
    return found


def test_who_did_what_is_found_by_an_admin(product: Product, admin: Player) -> None:
    ada, mallory = product.api.new_player(), product.api.new_player()
    ticket = product.api.post(f"/api/score/{ada.user_id}/tickets", headers=ada.authorization).data["ticket"]
    accepted = ada.score(3, **{"X-Action-Ticket": ticket})
    assert accepted.status == 200
    assert ada.score(3, **{"X-Action-Ticket": ticket}).status == 409
    stolen = product.api.post(f"/api/score/{ada.user_id}", {"increment": 5}, mallory.authorization)
    assert stolen.status == 403
    wrong = product.api.post("/api/tokens", {"username": ada.username, "password": "what could it be"})
    assert wrong.status == 401
    assert product.api.post("/api/admin/dead-letters/redrive", {"limit": 1}, admin.authorization).status == 200
    assert mallory.get("/api/admin/audit-log").status == 403
    eventually(lambda: entries(admin, userId=ada.user_id, action="score_accepted"), 60, "the update in the audit log")

    def refusals() -> set[tuple[str, str, str]]:
        product.invoke("record_refusals")  # or the scheduler was faster
        found = [*entries(admin, userId=ada.user_id), *entries(admin, actor=mallory.user_id)]
        return {(one["action"], one["detail"].get("reason", ""), one["actor"]) for one in found}

    expected = {
        ("score_accepted", "", ada.user_id),
        ("score_refused", "ticket_already_used", ada.user_id),
        ("score_refused", "not_your_score", mallory.user_id),
        ("login_refused", "invalid_credentials", "anonymous"),
    }
    eventually(lambda: refusals() >= expected, 60, "all refusals in the audit log")
    (update,) = entries(admin, userId=ada.user_id, action="score_accepted")
    assert update["requestId"] == accepted.data["requestId"]
    assert update["sourceIp"] == "127.0.0.1"
    assert {name: update["detail"][name] for name in ("increment", "newScore")} == {"increment": 3, "newScore": 3}
    (theft,) = entries(admin, actor=mallory.user_id, action="score_refused")
    assert (theft["userId"], theft["requestId"]) == (ada.user_id, stolen.headers["X-Request-Id"])
    redriven = entries(admin, actor=admin.user_id, action="dead_letters_redriven")
    assert redriven[0]["sourceIp"] == "127.0.0.1"


def test_a_change_by_whoever_may_do_anything_is_found(product: Product, admin: Player) -> None:
    ada = product.api.new_player()
    ada.score(1)
    eventually(lambda: entries(admin, userId=ada.user_id, action="score_accepted"), 60, "the update in the audit log")
    row = entries(admin, userId=ada.user_id, action="score_accepted")[0]["id"]

    def is_sealed() -> bool:
        product.invoke("seal_audit")
        return bool(product.query("SELECT 1 FROM audit_seals WHERE last_id >= :id", id=row))

    eventually(is_sealed, 60, "the row under a seal")
    before = verb(product, "verify-audit")
    assert (before.returncode, before.stdout.splitlines()[-1]) == (0, "the audit log is intact"), before.stdout + before.stderr
    change(product, "UPDATE audit_log SET actor = 'nobody' WHERE id = :id", id=row)
    found = verb(product, "verify-audit")
    change(product, "UPDATE audit_log SET actor = :actor WHERE id = :id", id=row, actor=ada.user_id)
    assert found.returncode == CHANGED, found.stdout + found.stderr
    assert "1 found" in found.stdout
    assert verb(product, "verify-audit").returncode == 0, "as it was"


def change(product: Product, sql: str, **parameters: object) -> None:
    url = product.runtime["database_url"]
    query(url, "ALTER TABLE audit_log DISABLE TRIGGER ALL")
    query(url, sql, **parameters)
    query(url, "ALTER TABLE audit_log ENABLE TRIGGER ALL")


def test_an_export_has_every_entry(product: Product, tmp_path: Path) -> None:
    player = product.api.new_player()
    file = tmp_path / "audit.jsonl"
    done = verb(product, "export-audit", "--output", str(file))
    assert done.returncode == 0, done.stderr
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert f"{len(exported)} entries" in done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ids = [entry["id"] for entry in exported]
    assert ids == sorted(ids)
    assert ids == [row[0] for row in product.query("SELECT id FROM audit_log WHERE id <= :last ORDER BY id", last=ids[-1])]
    assert ("user_registered", player.user_id) in {(entry["action"], entry["userId"]) for entry in exported}


@pytest.mark.parametrize("instant", ["x", "2026-13-01", "2026-01-01T12:00:00"])
def test_an_instant_that_is_none_is_bad_usage(product: Product, instant: str) -> None:
    done = verb(product, "export-audit", "--from", instant)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: `from` must be an instant such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31.\n"


def test_what_serves_has_no_right_to_change_it(product: Product) -> None:
    owner = product.runtime["database_url"]
    roles = query(owner, "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'scoreboard'")
    assert roles == [[FUNCTIONS_USER]]
    assert query(product.runtime["function_env"]["DATABASE_URL"], "SELECT has_table_privilege('audit_log', 'UPDATE')") == [
        [False]
    ]
    password = owner.split(":")[2].split("@")[0].encode()
    for pid in product.children():
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert password not in environment, Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_page_of_another_host_that_wants_to_watch_is_refused_and_audited(product: Product, admin: Player) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(product.api.websocket_url(), additional_headers=admin.authorization, origin=Origin("https://evil.example"))
    assert refused.value.response.status_code == 403
    product.invoke("record_refusals")  # unless the schedule is doing it
    [refusal] = eventually(lambda: entries(admin, action="viewer_refused", actor=admin.user_id), 60, "the refusal is recorded")
    assert refusal["detail"]["reason"] == "origin_not_allowed"
