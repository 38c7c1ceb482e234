"""The chain of seals: whatever anybody does to the audit log is found, and nothing that is in order is blamed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from shared.audit.entries import NO_HASH, Seal, Signature
from shared.audit.hmac_seals import SealSigner
from shared.audit.postgresql import AuditSeals
from shared.audit.seal_audit import ROWS_A_SEAL, WAIT_SECONDS, seal_audit
from shared.core.errors import InvalidParameter, PostgresUnavailable
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from tests.contract.audit import KEY, Audit, StepClock

SEALS, ROWS = 4, 3
LAST_ID = SEALS * ROWS
FORGER = SealSigner({"test": bytes(32)})
CHANGED, NOT_OURS = "covers rows that were changed", "is not one of ours"


class Recorded(SealSigner):
    """A signer of signatures that were made before: all that a forger has."""

    def __init__(self, seals: list[Seal]) -> None:
        self._signatures = [seal.signature for seal in seals]

    def sign(self, hash_text: str) -> Signature:
        return self._signatures.pop(0)

    def verify(self, hash_text: str, signature: Signature) -> bool | None:
        raise NotImplementedError


class Stranger(SealSigner):
    """A signer with a key that nobody knows."""

    def __init__(self) -> None:
        pass

    def sign(self, hash_text: str) -> Signature:
        return Signature("unheard-of", FORGER.sign(hash_text).mac)

    def verify(self, hash_text: str, signature: Signature) -> bool | None:
        raise NotImplementedError


def rewrite_chain(audit: Audit, signer: SealSigner) -> None:
    """What somebody with the database, but not the key, can do: all seals made anew so that they fit the rows."""
    seals = audit.chain.seals.page(1, 100)
    audit.tamper("DELETE FROM audit_seals")
    previous, made = NO_HASH, []
    for seal, now in zip(seals, audit.chain.seals.contents(seals), strict=True):
        content = replace(now, read_at=seal.content.read_at)
        hash_text = Seal.hash_of(seal.seq, content, previous)
        made.append(Seal(seal.seq, content, previous, hash_text, signer.sign(hash_text)))
        previous = hash_text
    assert audit.chain.seals.add(made)


def test_an_untouched_log_is_intact(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.add(2)
    report = audit.verify()
    [last] = audit.chain.seals.newest()
    assert report == {
        "seals": SEALS,
        "rows": LAST_ID,
        "unsealedRows": 2,
        "detached": [],
        "head": {"seq": SEALS, "lastId": LAST_ID, "hash": last.hash},
        "remembered": True,
        "intact": True,
        "found": 0,
        "findings": [],
        "next": None,
    }


def test_an_empty_log_is_intact_and_not_sealed(audit: Audit) -> None:
    assert audit.seal() == {"seals": 0, "rows": 0}
    report = audit.verify()
    assert (report["intact"], report["head"], report["remembered"]) == (True, None, False)


def test_many_rows_are_several_seals(audit: Audit) -> None:
    rows = 2 * ROWS_A_SEAL + 7
    audit.add(rows)
    assert audit.seal() == {"seals": 3, "rows": rows}
    assert audit.seal() == {"seals": 0, "rows": 0}
    assert audit.verify()["rows"] == rows
    assert audit.problems() == []


@pytest.mark.parametrize(
    "change",
    [
        "at = at + INTERVAL '1 microsecond'",
        "action = 'score_denied'",
        "actor = 'u-2'",
        "user_id = NULL",
        "request_id = 'r-0'",
        "source_ip = NULL",
        """detail = '{"increment": 5}'""",
    ],
)
def test_an_edited_row_is_found(audit: Audit, change: str) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper(f"UPDATE audit_log SET {change} WHERE id = 5")  # noqa: S608 - ours
    assert audit.problems() == [(2, CHANGED)]


def test_rows_that_changed_places_are_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("UPDATE audit_log SET id = 1000 WHERE id = 4")
    audit.tamper("UPDATE audit_log SET id = id - 1 WHERE id = 5")
    audit.tamper("UPDATE audit_log SET id = 5 WHERE id = 1000")
    assert audit.problems() == [(2, CHANGED)]


def test_a_deleted_row_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_log WHERE id = 8")
    assert audit.problems() == [(3, "covers 3 rows, 2 are there")]


def test_all_rows_of_a_seal_being_gone_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_log WHERE id BETWEEN 4 AND 6")
    assert audit.problems() == [(2, "covers 3 rows, 0 are there")]


def test_a_row_inserted_into_a_gap_is_found(audit: Audit) -> None:
    audit.add_sealed(1, ROWS)
    audit.run("SELECT nextval('audit_log_id_seq')")  # an id that no row has, as a transaction rolled back leaves it
    audit.add_sealed(1, ROWS)
    assert audit.problems() == []
    audit.tamper("INSERT INTO audit_log (id, action, actor) VALUES (:id, 'score_accepted', 'u-2')", id=ROWS + 1)
    assert audit.problems() == [(2, "covers 3 rows, 4 are there")]


@pytest.mark.parametrize("number", [0, -7])
def test_a_row_inserted_where_no_id_is_given_is_found(audit: Audit, number: int) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.run("INSERT INTO audit_log (id, action, actor) VALUES (:id, 'score_accepted', 'u-2')", id=number)
    assert audit.problems() == [(0, "1 rows have an id that is never given (0 or below)")]


def test_a_removed_seal_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_seals WHERE seq = 2")
    assert audit.problems() == [(3, "follows a gap: seals 2 to 2 are missing")]


def test_a_removed_first_seal_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_seals WHERE seq = 1")
    assert audit.problems() == [(2, "follows a gap: seals 1 to 1 are missing")]


@pytest.mark.parametrize("also_rows", [False, True])
def test_a_removed_last_seal_is_found_by_what_redis_remembers(audit: Audit, also_rows: bool) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_seals WHERE seq = :seq", seq=SEALS)
    if also_rows:
        audit.tamper("DELETE FROM audit_log WHERE id > :id", id=LAST_ID - ROWS)
    assert audit.problems() == [(SEALS, f"seals {SEALS} to {SEALS} are missing at the end")]


def test_everything_being_gone_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("TRUNCATE audit_log, audit_seals")
    assert audit.problems() == [(1, f"seals 1 to {SEALS} are missing at the end")]


def test_a_removed_end_is_found_by_what_somebody_noted_down(audit: Audit, redis_client: Any) -> None:
    audit.add_sealed(SEALS, ROWS)
    head = audit.verify()["head"]
    audit.tamper("DELETE FROM audit_seals WHERE seq = :seq", seq=SEALS)
    forget(audit, redis_client)
    report = audit.verify()
    assert (report["remembered"], report["intact"]) == (False, True)  # which is why a head should be noted down
    noted = f"{head['seq']}:{head['hash']}"
    assert audit.problems(head=noted) == [(SEALS, f"seals {SEALS} to {SEALS} are missing at the end")]


def test_another_chain_is_not_the_one_that_was_noted_down(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    assert audit.problems(head=f"2:{'0' * 64}") == [(2, "is not the one that was remembered")]


def test_rows_after_a_removed_end_are_sealed_and_the_hole_stays(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("DELETE FROM audit_seals WHERE seq = :seq", seq=SEALS)
    audit.add(1)
    assert audit.seal() == {"seals": 1, "rows": 1}
    assert audit.problems() == [(SEALS + 1, f"follows a gap: seals {SEALS} to {SEALS} are missing")]


@pytest.mark.parametrize(
    "change",
    [
        "first_id = 1",
        "last_id = 7",
        "row_count = 2",
        "sealed_at = sealed_at + INTERVAL '1 microsecond'",
        "sealed_at = 'infinity'",
        "content_hash = repeat('0', 64)",
        "previous_hash = repeat('0', 64)",
        "hash = repeat('0', 64)",
    ],
)
def test_a_changed_seal_is_found(audit: Audit, change: str) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper(f"UPDATE audit_seals SET {change} WHERE seq = 2")  # noqa: S608 - ours
    assert audit.problems() == [(2, "was changed, or is not one of ours")]


@pytest.mark.parametrize("change", ["mac = repeat('0', 64)", "mac = ''", "mac = 'ключ'"])
def test_a_seal_with_another_signature_is_found(audit: Audit, change: str) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper(f"UPDATE audit_seals SET {change} WHERE seq = 2")  # noqa: S608 - ours
    assert audit.problems() == [(2, NOT_OURS)]


@pytest.mark.parametrize(
    ("signer", "found"),
    [
        (lambda _: FORGER, [(seq, NOT_OURS) for seq in (1, 2, 3, 4)]),
        (Recorded, [(seq, NOT_OURS) for seq in (2, 3, 4)]),
    ],
    ids=["another key", "old signatures"],
)
def test_a_chain_made_anew_without_the_key_is_found(
    audit: Audit, signer: Callable[[list[Seal]], SealSigner], found: list[tuple[int, str]]
) -> None:
    audit.add_sealed(SEALS, ROWS)
    seals = audit.chain.seals.page(1, 100)
    audit.tamper("UPDATE audit_log SET actor = 'u-2' WHERE id = 5")
    rewrite_chain(audit, signer(seals))
    assert audit.problems() == found


def test_a_chain_made_anew_in_the_name_of_a_lost_key_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("UPDATE audit_log SET actor = 'u-2' WHERE id = 5")
    rewrite_chain(audit, Stranger())
    assert audit.problems() == [
        (SEALS, "is not the one that was remembered"),
        (SEALS, "is signed with a key that is not among PAYLOAD_KEYS"),
    ]


def test_sealing_does_not_go_on_from_a_forged_end(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("UPDATE audit_log SET actor = 'u-2' WHERE id = 5")
    rewrite_chain(audit, FORGER)
    audit.add(1)
    assert audit.seal() == {"seals": 1, "rows": 1}
    assert audit.problems() == [(seq, NOT_OURS) for seq in range(1, SEALS + 1)], "and the new one follows none of them"


def test_a_forged_memory_in_redis_is_found(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    [newest] = audit.chain.seals.newest()
    audit.anchor.put(replace(newest, signature=FORGER.sign(newest.hash)))
    assert audit.problems() == [(SEALS, "is remembered in Redis, but was not made by us")]


@pytest.mark.parametrize("document", [b"", b"{}", b"[1]", b"\xff", b'{"seq": "x"}'])
def test_a_memory_that_cannot_be_read_is_none(audit: Audit, redis_client: Any, document: bytes) -> None:
    audit.add_sealed(1, ROWS)
    forget(audit, redis_client, document)
    assert audit.anchor.get() is None
    audit.add_sealed(1, ROWS)
    assert audit.verify()["remembered"] is True


def test_what_is_remembered_is_the_whole_seal(audit: Audit) -> None:
    audit.add_sealed(2, ROWS)
    assert [audit.anchor.get()] == audit.chain.seals.newest()


def test_a_key_that_was_given_up_is_no_finding_when_a_later_one_signed_after_it(audit: Audit) -> None:
    audit.add_sealed(2, ROWS)
    both = SealSigner({"new": bytes(range(32, 64)), **KEY})
    audit.chain = replace(audit.chain, signer=both)
    audit.add_sealed(2, ROWS)
    assert audit.problems() == []
    audit.chain = replace(audit.chain, signer=SealSigner({"new": bytes(range(32, 64))}))
    assert audit.problems() == []


def test_verification_goes_on_where_it_was_told_to(audit: Audit) -> None:
    audit.add_sealed(SEALS, ROWS)
    audit.tamper("UPDATE audit_log SET actor = 'u-2' WHERE id = 5")
    assert audit.problems(fromSeal=3) == []
    assert audit.verify(fromSeal=3)["seals"] == 2
    assert audit.problems(fromSeal=2) == [(2, CHANGED)]
    assert audit.problems(fromSeal=SEALS + 1) == []
    with pytest.raises(InvalidParameter):
        audit.verify(fromSeal=SEALS + 2)


@pytest.mark.parametrize(
    "options",
    [
        {"fromSeal": 0},
        {"fromSeal": "1"},
        {"fromSeal": True},
        {"head": 3},
        {"head": "x:y"},
        {"head": "3:"},
        {"head": f"{'9' * 5000}:f"},
    ],
)
def test_nonsense_is_told(audit: Audit, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        audit.verify(**options)


def test_many_who_seal_at_once_make_one_chain(audit: Audit) -> None:
    def seal(_: int) -> dict[str, int]:
        audit.add(50)
        return audit.seal()

    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(seal, range(12)))
    last = audit.seal()
    assert sum(one["rows"] for one in [*done, last]) == 600
    report = audit.verify()
    assert (report["rows"], report["unsealedRows"], report["found"]) == (600, 0, 0)


def test_a_turn_that_a_clock_that_was_set_back_makes_longer_is_over(audit: Audit, redis_client: Any) -> None:
    assert audit.anchor.claim("one that dies", 60)
    assert not audit.anchor.claim("another", 60)
    redis_client.pexpire(audit.keys.audit_sealing, 3_600_000)
    audit.anchor.claim("another", 0)
    assert audit.anchor.claim("another", 60)


def test_a_transaction_that_ends_late_is_waited_for(audit: Audit) -> None:
    with audit.pool.transaction("test") as late:
        late.run("INSERT INTO audit_log (action, actor) VALUES ('late', 'late')")
        audit.add(ROWS)
        clock = StepClock(then=[lambda: late.script("COMMIT; BEGIN")])
        assert audit.seal(clock) == {"seals": 1, "rows": ROWS + 1}
    assert 0 < clock.at_seconds < WAIT_SECONDS
    assert audit.problems() == []


def test_a_transaction_of_our_role_that_does_not_end_is_ended(audit: Audit) -> None:
    lasting = Pool(audit.url)
    with lasting.connection() as late:
        late.script("BEGIN; INSERT INTO audit_log (action, actor) VALUES ('late', 'late')")
        audit.add(ROWS)
        clock = StepClock()
        assert audit.seal(clock) == {"seals": 1, "rows": ROWS}
        assert clock.at_seconds >= WAIT_SECONDS
        with pytest.raises(PostgresUnavailable):
            late.script("COMMIT")
    lasting.close()
    assert audit.problems() == []


def test_a_transaction_of_another_role_that_does_not_end_holds_up_the_seals_and_nothing_else(
    audit: Audit, superuser_url: str
) -> None:
    other = Pool(f"{superuser_url.rpartition('/')[0]}/{audit.url.rpartition('/')[2]}")
    with other.transaction("test") as late:
        late.run("INSERT INTO audit_log (action, actor) VALUES ('late', 'late')")
        audit.add(ROWS)
        clock = StepClock()
        assert audit.seal(clock) == {"seals": 0, "rows": 0}
        assert clock.at_seconds >= WAIT_SECONDS
        audit.add(ROWS)
    other.close()
    assert audit.seal() == {"seals": 1, "rows": 2 * ROWS + 1}
    assert audit.problems() == []


def test_who_begins_later_is_not_waited_for(audit: Audit) -> None:
    with audit.pool.transaction("test") as late, audit.pool.transaction("test") as later:
        late.run("INSERT INTO audit_log (action, actor) VALUES ('late', 'late')")

        def meanwhile() -> None:
            later.run("INSERT INTO audit_log (action, actor) VALUES ('later', 'later')")
            late.script("COMMIT; BEGIN")

        assert audit.seal(StepClock(then=[meanwhile])) == {"seals": 1, "rows": 1}
    assert audit.problems() == []
    assert audit.seal() == {"seals": 1, "rows": 1}
    assert audit.problems() == []


def test_seals_only_grow(audit: Audit) -> None:
    audit.add_sealed(1, ROWS)
    for sql in ("UPDATE audit_seals SET mac = ''", "DELETE FROM audit_seals", "TRUNCATE audit_seals"):
        with pytest.raises(StatementRejected, match="audit_seals is append-only"):
            audit.run(sql)


def test_seals_are_signed_with_keys_of_their_own(audit: Audit) -> None:
    signature = audit.chain.signer.sign("hash")
    assert audit.chain.signer.verify("hash", signature) is True
    assert audit.chain.signer.verify("hash ", signature) is False
    assert audit.chain.signer.verify("hash", replace(signature, key_id="other")) is None
    import hmac

    assert signature.mac != hmac.digest(KEY["test"], b"hash", "sha256").hex()


def test_a_second_run_with_a_pool_of_its_own_sees_the_first(audit: Audit, database_url: str) -> None:
    audit.add_sealed(1, ROWS)
    other = Pool(f"{database_url.rpartition('/')[0]}/{audit.run('SELECT current_database()')[0][0]}")
    assert seal_audit(replace(audit.chain, seals=AuditSeals(other))) == {"seals": 0, "rows": 0}
    other.close()


def forget(audit: Audit, client: Any, document: bytes | None = None) -> None:
    """Redis comes back without the newest seal, or with something in its place."""
    key = audit.anchor._key
    if document is None:
        client.delete(key)
    else:
        client.set(key, document)
