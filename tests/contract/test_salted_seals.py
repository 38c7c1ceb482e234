"""What is personal in the audit log is sealed as a salted hash: it stands in for the clear text, and nothing else does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.audit.entries import NO_HASH, Content, Seal
from shared.stores.postgresql.errors import StatementRejected
from tests.contract.audit import Audit

CHANGED = "covers rows that were changed"
PERSON, OTHER, ADDRESS = "p-1", "a-1", "203.0.113.9"
DETAILS: list[tuple[dict[str, Any], set[str]]] = [
    ({"increment": 3, "newScore": 8, "epoch": 1, "sequence": 7}, set()),
    ({"username": "anna", "role": "player", "displayName": "Anna"}, {"username", "displayName"}),
    ({"displayName": {"from": None, "to": "Anna"}}, {"displayName"}),
    ({"displayName": None, "disabled": {"from": False, "to": True}}, set()),
    ({"board": "*", "entry": 4, "reason": "Anna told me so"}, {"reason"}),
    ({"name": "'\\udcff'", "difference": 4}, {"name"}),
    (
        {"addresses": "203.0.113.0/24", "reason": "not_your_score", "count": 2, "firstAt": "2026-01-01T00:00:00Z"},
        {"addresses"},
    ),
]


def write(audit: Audit, actor: str, user_id: str | None, source_ip: str | None, detail: object) -> None:
    audit.run(
        "INSERT INTO audit_log (action, actor, user_id, source_ip, detail)"
        " VALUES ('test', :actor, :user_id, :source_ip, CAST(:detail AS jsonb))",
        actor=actor,
        user_id=user_id,
        source_ip=source_ip,
        detail=json.dumps(detail),
    )


def hashed(audit: Audit) -> list[list[Any]]:
    return audit.run(
        "SELECT id, CAST(extract(EPOCH FROM at) AS text), action, actor, user_id, request_id, source_ip, CAST(detail AS text)"
        " FROM hashed_audit_log ORDER BY id"
    )


def salt_of(audit: Audit, subject: str) -> UUID:
    [[salt]] = audit.run("SELECT salt FROM audit_salts WHERE subject = :subject", subject=subject)
    return UUID(str(salt))


def stand_in(salt: UUID, value: str) -> str:
    return hashlib.sha256(salt.bytes + value.encode()).hexdigest()


def seal_as_before(audit: Audit, rows: int) -> Seal:
    """What a version that hashes rows as they are adds to the chain."""
    audit.add(rows)
    last = next(iter(audit.chain.seals.newest()), None)
    first_id, seq = (last.content.last_id + 1, last.seq + 1) if last else (1, 1)
    blank = Content(first_id, first_id + rows - 1, rows, NO_HASH, datetime.now(UTC))
    previous_hash = last.hash if last else NO_HASH
    [content] = audit.chain.seals.contents([Seal(seq, blank, previous_hash, "", audit.chain.signer.sign(""))])
    hash_text = Seal.hash_of(seq, content, previous_hash)
    seal = Seal(seq, content, previous_hash, hash_text, audit.chain.signer.sign(hash_text))
    assert audit.chain.seals.add([seal])
    audit.anchor.put(seal)
    return seal


@pytest.mark.parametrize(("detail", "personal"), DETAILS)
def test_what_is_personal_is_hashed_and_the_rest_is_not(audit: Audit, detail: dict[str, Any], personal: set[str]) -> None:
    write(audit, OTHER, PERSON, ADDRESS, detail)
    audit.seal()
    [[_, _, action, actor, user_id, request_id, source_ip, text]] = hashed(audit)
    theirs, admins = salt_of(audit, PERSON), salt_of(audit, OTHER)
    assert (action, request_id) == ("test", None)
    assert (actor, source_ip) == (stand_in(admins, OTHER), stand_in(admins, ADDRESS)), "under the salt of who acted"
    assert user_id == stand_in(theirs, PERSON)
    found = json.loads(text)
    assert set(found) == set(detail)
    assert {name for name in detail if found[name] != detail[name]} == personal
    for name in personal:
        [[as_text]] = audit.run("SELECT CAST(detail -> CAST(:name AS text) AS text) FROM audit_log", name=name)
        assert found[name] == stand_in(theirs, as_text)


@pytest.mark.parametrize(
    ("actor", "user_id", "source_ip", "subjects"),
    [
        (PERSON, PERSON, ADDRESS, {PERSON}),
        (OTHER, PERSON, ADDRESS, {PERSON, OTHER}),
        ("operator", PERSON, None, {PERSON}),
        ("server:k-1", PERSON, ADDRESS, {PERSON}),
        ("anonymous", PERSON, ADDRESS, {PERSON}),
        ("anonymous", None, ADDRESS, {ADDRESS}),
        (OTHER, None, ADDRESS, {OTHER}),
        ("operator", None, None, {"operator"}),
        ("x" * 1000, None, "y" * 1000, {"x" * 200}),
    ],
)
def test_a_row_is_under_the_salts_of_whom_it_speaks_of(
    audit: Audit, actor: str, user_id: str | None, source_ip: str | None, subjects: set[str]
) -> None:
    write(audit, actor, user_id, source_ip, {})
    audit.seal()
    assert {row[0] for row in audit.run("SELECT subject FROM audit_salts")} == subjects
    assert audit.problems() == []


def test_what_the_product_does_is_nobodys_data(audit: Audit) -> None:
    for actor in ("anonymous", "operator", "reconcile_scores", "record_refusals", "scoreboard", "several", "server:k-1"):
        write(audit, actor, PERSON, None, {})
        assert hashed(audit)[-1][3] == actor


def test_a_seal_is_made_of_hashes_alone(audit: Audit) -> None:
    """Whoever has the hashes needs no clear text to hold the rows against their seal."""
    for detail, _ in DETAILS:
        write(audit, OTHER, PERSON, ADDRESS, detail)
    audit.seal()
    [seal] = audit.chain.seals.newest()
    lines = audit.run(
        "SELECT audit_line(id, at, action, actor, user_id, request_id, source_ip, detail) FROM hashed_audit_log ORDER BY id"
    )
    text = "\n".join(line for (line,) in lines)
    assert not any(clear in text for clear in (PERSON, OTHER, ADDRESS, "anna", "Anna", "203.0.113"))
    assert seal.content.content_hash == f"2:{hashlib.sha256(text.encode()).hexdigest()}"
    assert seal.content.format == 2


def test_the_consumer_makes_no_salts(audit: Audit) -> None:
    audit.add(3)
    assert audit.run("SELECT subject FROM audit_salts") == []
    audit.seal()
    [[salt]] = audit.run("SELECT salt FROM audit_salts")
    audit.add_sealed(2, 3)
    assert audit.run("SELECT salt FROM audit_salts") == [[salt]], "one for each, for good"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_salts SET salt = gen_random_uuid() WHERE subject = 'p-1'",
        "DELETE FROM audit_salts WHERE subject = 'p-1'",
        "UPDATE audit_salts SET subject = 'p-' || (CASE subject WHEN 'p-1' THEN 2 ELSE 1 END)",
        "UPDATE audit_log SET detail = jsonb_build_object('username', 'bert') WHERE user_id = 'p-1'",
        "UPDATE audit_log SET detail = (SELECT detail FROM hashed_audit_log WHERE id = 1) WHERE id = 1",
        "UPDATE audit_log SET user_id = NULL WHERE user_id = 'p-1'",
        "UPDATE audit_log SET actor = 'operator' WHERE user_id = 'p-1'",
        "UPDATE audit_log SET source_ip = NULL WHERE user_id = 'p-1'",
    ],
)
def test_a_salt_or_a_text_that_is_another_one_is_found(audit: Audit, change: str) -> None:
    for number in (1, 2):
        write(audit, f"p-{number}", f"p-{number}", ADDRESS, {"username": "anna"})
        assert audit.seal() == {"seals": 1, "rows": 1}
    assert audit.problems() == []
    audit.run("ALTER TABLE audit_salts DROP CONSTRAINT audit_salts_pkey")  # so that two may change places in one statement
    audit.tamper(change)
    assert (1, CHANGED) in audit.problems()


def test_a_person_written_into_a_row_without_any_salt_is_found(audit: Audit) -> None:
    write(audit, "operator", None, None, {})
    audit.seal()
    audit.tamper("UPDATE audit_log SET user_id = 'p-9'")
    assert audit.problems() == [(1, CHANGED)]


def test_salts_only_grow(audit: Audit) -> None:
    audit.add_sealed(1, 3)
    for sql in ("UPDATE audit_salts SET salt = gen_random_uuid()", "DELETE FROM audit_salts", "TRUNCATE audit_salts"):
        with pytest.raises(StatementRejected, match="audit_salts is append-only"):
            audit.run(sql)


@pytest.mark.parametrize("detail", ["null", "[]", '["username"]', "7", '"username"', "{}"])
def test_a_detail_that_is_no_object_is_hashed_whole(audit: Audit, detail: str) -> None:
    """As rows of earlier versions may have it."""
    audit.run("ALTER TABLE audit_log DROP CONSTRAINT audit_log_detail_is_an_object")
    audit.run("INSERT INTO audit_log (action, actor, detail) VALUES ('odd', 'operator', CAST(:detail AS jsonb))", detail=detail)
    audit.seal()
    [row] = hashed(audit)
    assert row[-1] == (detail if detail == "{}" else json.dumps(stand_in(salt_of(audit, "operator"), detail)))
    assert audit.problems() == []


def test_seals_of_a_version_before_are_verified_as_they_are(audit: Audit) -> None:
    assert seal_as_before(audit, 3).content.format == 1
    seal_as_before(audit, 3)
    audit.add_sealed(2, 3)
    assert [seal.content.format for seal in audit.chain.seals.page(1, 10)] == [1, 1, 2, 2]
    assert audit.problems() == []
    audit.tamper("UPDATE audit_log SET source_ip = NULL WHERE id IN (2, 8)")
    assert audit.problems() == [(1, CHANGED), (3, CHANGED)]


def test_a_version_before_and_this_one_make_one_chain(audit: Audit) -> None:
    """Side by side, while one instance after the other is upgraded."""
    audit.add_sealed(1, 3)
    seal_as_before(audit, 3)
    audit.add_sealed(1, 3)
    seal_as_before(audit, 3)
    assert [seal.content.format for seal in audit.chain.seals.page(1, 10)] == [2, 1, 2, 1]
    assert audit.problems() == []


def test_the_hash_of_a_seal_is_made_as_versions_before_make_it() -> None:
    """Those know no formats: to them a seal of this version is genuine, and they go on from it."""
    content = Content(1, 3, 3, f"2:{'a' * 64}", datetime(2026, 1, 1, tzinfo=UTC))
    fields = ["scoreboard audit seal 1", 1, 1, 3, 3, 1767225600000000, f"2:{'a' * 64}", NO_HASH]
    assert Seal.hash_of(1, content, NO_HASH) == hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def test_the_format_of_a_seal_cannot_be_changed(audit: Audit) -> None:
    audit.add_sealed(2, 3)
    audit.tamper("UPDATE audit_seals SET content_hash = replace(content_hash, '2:', '') WHERE seq = 1")
    assert audit.problems() == [(1, "was changed, or is not one of ours")]


def test_a_seal_of_a_version_to_come_is_told_of(audit: Audit) -> None:
    audit.add_sealed(1, 3)
    [made] = audit.chain.seals.newest()
    audit.add(3)
    content = replace(made.content, first_id=4, last_id=6, content_hash=f"3:{'a' * 64}")
    hash_text = Seal.hash_of(2, content, made.hash)
    audit.chain.seals.add([Seal(2, content, made.hash, hash_text, audit.chain.signer.sign(hash_text))])
    audit.add_sealed(1, 3)
    assert audit.problems() == [(2, "was made by a newer version: verify with that")]
