"""Whatever the functions' role writes: the audit log is sealed, verified and read all the same."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
import redis

from local_runtime.hosting.invoker import MAX_PAYLOAD_BYTES
from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, PrivatePostgreSQL
from shared.accounts.player import Account, Caller
from shared.accounts.postgresql import Users
from shared.audit.archive_audit import archive_audit
from shared.audit.entries import MAX_SEQ, NO_HASH, AuditFilter, Content, Seal, Signature
from shared.audit.export_audit_log import export_audit_log
from shared.audit.follow_audit_log import FollowAuditLog, follow_audit_log
from shared.audit.get_audit_log import get_audit_log
from shared.audit.hmac_seals import SealSigner
from shared.boards.board import MAIN
from shared.boards.definition import BoardDefinition
from shared.boards.postgresql import Boards
from shared.core.errors import PostgresUnavailable
from shared.ledger.get_score_history import get_score_history
from shared.ledger.postgresql import Ledger
from shared.operations.postgresql import LedgerGauge
from shared.reconciliation.list_reconciliations import list_reconciliations
from shared.reconciliation.postgresql import Reconciliations
from shared.stores.actor import Actor
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.migrations import Migrations
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement
from tests.contract.audit import Audit, StepClock

ADMIN = Caller("admin", "admin", datetime.now(UTC) + timedelta(hours=1))
PLAYER = "hostile-player"
LONGEST = 2**17
INSTANTS = ["infinity", "-infinity", "294276-12-31", "4713-01-01 BC", "2999-01-01", "epoch"]
TEXTS = ["", "x" * LONGEST, "\x01\x1b[31m\u202e", "İ", "9" * 40, "NaN", "{}", "%s:name"]
EXTREMES: dict[str, Sequence[Any]] = {
    "bigint": [2**63 - 1, -(2**63), 0, -1],
    "integer": [2**31 - 1, -(2**31), 0, -1],
    "smallint": [2**15 - 1, -(2**15)],
    "numeric": ["NaN", "Infinity", "1e1000"],
    "double precision": ["NaN", "Infinity", "-Infinity"],
    "boolean": [True, False],
    "timestamp with time zone": INSTANTS,
    "timestamp without time zone": INSTANTS,
    "interval": ["178000000 years", "-178000000 years"],
    "bytea": [b"", b"\x00" * LONGEST],
    "text": TEXTS,
    "character varying": TEXTS,
    "jsonb": [
        "null",
        "[]",
        "7",
        '"x"',
        "true",
        "[1e131071]",
        '{"count": 1e15000, "from": 1e400, "to": 0.5e310, "reason": 99999999999999999999}',
        "[0.5e310, -1e15000]",
        '[{"userId": 7}, {}, {"userId": "u", "difference": 1e20}]',
        '[{"userId": "u", "difference": [[[]]]}]',
        f"[{','.join(['1e131071'] * 1000)}]",
        f'"{"x" * LONGEST}"',
        f"{'[' * 5000}{']' * 5000}",
        '{"count": 1e131071, "increment": 1e131071, "newScore": -1, "reason": null, "from": []}',
        '{"count": "9999999999999999999999", "increment": "x", "newScore": {}, "role": [], "username": 7}',
        '{"count": -1, "increment": 99999999999, "newScore": "NaN"}',
    ],
}
PLAIN: dict[str, Any] = {
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "boolean": False,
    "timestamp with time zone": "2026-01-01",
    "timestamp without time zone": "2026-01-01",
    "jsonb": "{}",
    "bytea": b"",
    "double precision": 0.0,
}
BOARD = BoardDefinition("hostile", "Hostile")
KNOWN: dict[str, Any] = {
    "user_id": PLAYER,
    "role": "player",
    "board_id": BOARD.board_id,
}
# A decision to hide somebody: those about scores say more.
KNOWN_OF: dict[str, dict[str, Any]] = {
    "moderation_entries": {
        "action": "hide",
        **dict.fromkeys(("undoes", "struck", "value", "second", "places", "epoch", "sequence")),
    },
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the functions' role may write."""

    table: str
    name: str
    kind: str
    longest: int | None
    has_default: bool
    may_insert: bool
    may_update: bool

    def fits(self, value: Any) -> bool:
        return self.longest is None or not isinstance(value, str) or len(value) <= self.longest


class Hostile:
    """An audit log, and the functions' role at work in its database."""

    def __init__(self, database_url: str, functions_url: str, client: redis.Redis) -> None:
        self.owner = Audit(database_url, client)
        self.url = functions_url
        self.pool = Pool(functions_url)
        self.audit = Audit(functions_url, client)
        self.audit.anchor = self.owner.anchor
        self.audit.chain = replace(self.audit.chain, anchor=self.owner.anchor)

    def close(self) -> None:
        for pool in (self.owner.pool, self.pool, self.audit.pool):
            pool.close()

    def columns(self) -> list[Column]:
        rows = self.run(
            "SELECT table_name, column_name, data_type, character_maximum_length, column_default IS NOT NULL,"
            " has_column_privilege(table_name, column_name, 'INSERT'), has_column_privilege(table_name, column_name, 'UPDATE')"
            " FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND is_generated = 'NEVER' AND is_identity = 'NO'"
            " ORDER BY table_name, ordinal_position"
        )
        columns = [Column(*row) for row in rows]
        return [column for column in columns if column.may_insert or column.may_update]

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        with self.pool.connection() as session:
            return session.run(sql, **parameters)

    def attempt(self, sql: str, **parameters: Any) -> bool:
        """Whether the database took it."""
        try:
            self.run(sql, **parameters)
        except (StatementRejected, PostgresUnavailable):
            return False
        return True

    def insert(self, columns: Sequence[Column], changes: Mapping[str, Any]) -> bool:
        """A row of a table that is plain but for the changes."""
        row = {column.name: plain(column) for column in columns if not column.has_default} | dict(changes)
        if not row:
            return self.attempt(f"INSERT INTO {columns[0].table} DEFAULT VALUES")
        kinds = {column.name: column.kind for column in columns}
        names, values = ", ".join(row), ", ".join(f"CAST(:{name} AS {kinds[name]})" for name in row)
        return self.attempt(f"INSERT INTO {columns[0].table} ({names}) VALUES ({values})", **row)  # noqa: S608 - ours

    def seals_and_verifies(self) -> None:
        """What is written now comes under a seal of ours, and verification finds it in order."""
        self.run("INSERT INTO audit_log (action, actor) VALUES ('marker', 'test')")
        [[number]] = self.owner.run("SELECT max(id) FROM audit_log WHERE action = 'marker'")
        assert self.audit.seal()["rows"] >= 1
        sealed = next(seal for seal in self.owner.chain.seals.newest(50) if self.owner.chain.is_genuine(seal))
        assert sealed.content.last_id >= number
        report = self.audit.verify()
        assert report["next"] is None
        assert report["head"]["seq"] == sealed.seq
        assert report["unsealedRows"] == 0

    def can_be_read(self) -> None:
        """By all who read what this role may write."""
        audit_log, users = self.audit.log, Users(self.pool)
        for wanted in (AuditFilter(), AuditFilter(since=ADMIN.expires_at - timedelta(days=1), until=ADMIN.expires_at)):
            cursor: str | None = ""
            while cursor is not None:
                page = answer(get_audit_log(wanted, 200, cursor, audit_log, users))
                cursor = page["nextCursor"]
        after: int | None = 0
        while after is not None:
            after = answer(export_audit_log({"after": after}, audit_log))["after"]
        command, more = FollowAuditLog(0, 0, None, None, None), True
        while more:
            part = answer(follow_audit_log(command, audit_log, self.audit.chain.seals, users, self.audit.chain.clock))
            command, more = replace(command, after=part["after"]), part["more"]
        last = FollowAuditLog(None, 1000, None, None, None)
        assert answer(follow_audit_log(last, audit_log, self.audit.chain.seals, users, self.audit.chain.clock))["entries"]
        LedgerGauge(self.pool).read()
        LedgerGauge(self.pool).newest_updates(200)
        Reconciliations(self.pool, MAIN.increments).missing([PLAYER])
        with Reconciliations(self.pool, MAIN.increments).alone() as run_number:
            Reconciliations(self.pool, MAIN.increments).restore([PLAYER], run_number)
        answer(list_reconciliations(100, "", Reconciliations(self.pool, MAIN.increments), users))
        answer(get_score_history(PLAYER, 100, "", ADMIN, Ledger(self.pool), users))


def answer(document: dict[str, Any]) -> dict[str, Any]:
    """As JSON that Lambda, and every parser, takes."""
    assert len(json.dumps(document, allow_nan=False)) < MAX_PAYLOAD_BYTES
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return decoded


def plain(column: Column) -> Any:
    of_table = KNOWN_OF.get(column.table, {})
    if column.name in of_table:
        return of_table[column.name]
    if column.name in KNOWN and (column.table, column.name) != ("users", "user_id"):
        return KNOWN[column.name]
    return PLAIN.get(column.kind, secrets.token_hex(8))


@pytest.fixture
def hostile(private_postgresql: PrivatePostgreSQL, own_database_url: str, redis_client: redis.Redis) -> Iterator[Hostile]:
    owner = Pool(own_database_url)
    Migrations(owner, functions_role=FUNCTIONS_USER).apply()
    Users(owner).add(Account(PLAYER, "hostile", "player", "hash", secrets.token_hex(32)))
    Boards(owner).put(BOARD, Actor("test"))
    owner.close()
    functions_url = f"{private_postgresql.functions_url.rpartition('/')[0]}/{own_database_url.rpartition('/')[2]}"
    made = Hostile(own_database_url, functions_url, redis_client)
    yield made
    made.close()


@pytest.mark.long
def test_no_value_in_any_column_stops_the_seals_or_the_readers(hostile: Hostile) -> None:
    columns = hostile.columns()
    taken = 0
    for table in sorted({column.table for column in columns}):
        own = [column for column in columns if column.table == table]
        can_insert = [column for column in own if column.may_insert]
        has_row = bool(hostile.run(f"SELECT 1 FROM {table} LIMIT 1"))  # noqa: S608 - ours
        is_plain = not can_insert or hostile.insert(can_insert, {}) or has_row
        assert is_plain, f"{table} takes no plain row: say in KNOWN what it wants"
        for column in own:
            for value in EXTREMES[column.kind]:
                if column.fits(value):
                    taken += column.may_insert and hostile.insert(can_insert, {column.name: value})
                    if column.may_update:
                        taken += hostile.attempt(
                            f"UPDATE {table} SET {column.name} = CAST(:value AS {column.kind})"  # noqa: S608 - ours
                            f" WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)",
                            value=value,
                        )
        if table == "audit_log":
            for action, detail in product(("score_accepted", "score_refused"), EXTREMES["jsonb"]):
                taken += hostile.insert(can_insert, {"action": action, "detail": detail})
        hostile.seals_and_verifies()
        assert hostile.audit.problems() == [], table
        hostile.can_be_read()
    assert taken > 100


def test_a_forged_seal_is_told_of_and_the_chain_goes_on(hostile: Hostile) -> None:
    """What this role may still add: a seal that could be one."""
    hostile.seals_and_verifies()
    [last] = hostile.audit.chain.seals.newest()
    forged: list[int] = []
    for key_id in ("test", "unheard-of"):
        for number in (last.seq + 1, last.seq + 2, last.seq + 1000, MAX_SEQ):
            seal = forgery(hostile, number, key_id, last)
            if hostile.audit.chain.seals.add([seal]):
                forged.append(number)
            hostile.seals_and_verifies()
            [last] = [one for one in hostile.audit.chain.seals.newest(50) if hostile.audit.chain.is_genuine(one)][:1]
    problems = hostile.audit.problems()
    assert sorted(number for number, _ in problems) == sorted(forged)
    told = ("is not one of ours", "is signed with a key that is not among PAYLOAD_KEYS")
    assert all(problem.startswith(told) for _, problem in problems)
    assert hostile.audit.verify(head=f"{last.seq}:{last.hash}")["found"] == len(forged)


def test_seals_cannot_say_what_is_not_so(hostile: Hostile) -> None:
    hostile.seals_and_verifies()
    [last] = hostile.audit.chain.seals.newest()
    assert not hostile.attempt("INSERT INTO audit_seals SELECT * FROM audit_seals")
    plausible = forgery(hostile, last.seq + 1, "test", last)
    content = plausible.content
    for changed in (
        replace(plausible, seq=2**63 - 1),
        replace(plausible, seq=0),
        replace(plausible, hash="x" * 65),
        replace(plausible, signature=Signature("k" * 201, "")),
        replace(plausible, content=replace(content, first_id=0)),
        replace(plausible, content=replace(content, last_id=10**6)),
        replace(plausible, content=replace(content, row_count=10**6)),
        replace(plausible, content=replace(content, read_at=content.read_at - timedelta(minutes=16))),
        replace(plausible, content=replace(content, read_at=content.read_at + timedelta(minutes=16))),
    ):
        with pytest.raises(StatementRejected, match="no seal of the present"):
            hostile.audit.chain.seals.add([changed])
    assert hostile.audit.problems() == []


def test_a_number_that_is_withheld_is_passed_over(hostile: Hostile) -> None:
    """The next numbers are taken by a transaction that does not end."""
    hostile.seals_and_verifies()
    [last] = hostile.audit.chain.seals.newest()
    with hostile.pool.connection() as holding:
        holding.script("BEGIN")
        for number in range(last.seq + 1, last.seq + 20):
            assert add(holding, forgery(hostile, number, "test", last))
        hostile.seals_and_verifies()
        holding.script("ROLLBACK")
    hostile.seals_and_verifies()
    assert hostile.audit.problems() == []


EARLIER = [
    {"seq": 2**63 - 1},
    {"seq": -(2**63)},
    {"seq": 0},
    {"first_id": 2**63 - 1, "last_id": -(2**63)},
    {"first_id": -(2**63), "last_id": 2**63 - 1, "row_count": 2**31 - 1},
    {"row_count": -(2**31)},
    {"sealed_at": "infinity"},
    {"sealed_at": "-infinity"},
    {"sealed_at": "4713-01-01 BC"},
    {"content_hash": "x" * LONGEST},
    {"hash": "x" * LONGEST, "previous_hash": "x" * LONGEST},
    {"key_id": "x" * LONGEST},
    {"mac": "ключ" * LONGEST},
]


@pytest.mark.parametrize("row", EARLIER)
def test_what_could_be_added_before_does_not_stop_the_chain_either(hostile: Hostile, row: Mapping[str, Any]) -> None:
    """As the owner, who still may."""
    hostile.seals_and_verifies()
    [last] = hostile.audit.chain.seals.newest()
    columns: dict[str, Any] = {"seq": last.seq + 1, "first_id": 1, "last_id": 1, "row_count": 1, "sealed_at": "2026-01-01"}
    columns |= {"content_hash": "", "previous_hash": last.hash, "hash": "", "key_id": "test", "mac": "", **row}
    names = ", ".join(columns)
    hostile.owner.run(f"INSERT INTO audit_seals ({names}) VALUES ({', '.join(f':{name}' for name in columns)})", **columns)  # noqa: S608
    for _ in range(2):
        hostile.seals_and_verifies()
    hostile.can_be_read()
    found = [number for number, problem in hostile.audit.problems() if "is not one of ours" in problem]
    assert found == ([columns["seq"]] if columns["seq"] > 0 else [])


def test_a_consistent_seal_of_no_known_key_over_everything_is_not_hashed(hostile: Hostile) -> None:
    hostile.run("INSERT INTO audit_log (action, actor) SELECT 'many', 'test' FROM generate_series(1, 3000)")
    hostile.seals_and_verifies()
    [last] = hostile.audit.chain.seals.newest()
    content = Content(1, last.content.last_id, last.content.last_id, NO_HASH, datetime.now(UTC))
    hash_text = Seal.hash_of(last.seq + 1, content, last.hash)
    assert hostile.audit.chain.seals.add([Seal(last.seq + 1, content, last.hash, hash_text, Signature("unheard-of", ""))])
    report = hostile.audit.verify()
    assert report["rows"] < 6000
    assert [finding["seal"] for finding in report["findings"]][-1] == last.seq + 1


def test_writers_who_never_end_do_not_hold_up_the_seals(hostile: Hostile) -> None:
    lasting = Pool(hostile.url)
    with lasting.connection() as one:
        one.script("BEGIN; INSERT INTO audit_log (action, actor) VALUES ('lasting', 'test')")
        hostile.audit.chain = replace(hostile.audit.chain, clock=StepClock())
        hostile.seals_and_verifies()
    lasting.close()


def test_salts_that_are_withheld_do_not_hold_up_the_seals(hostile: Hostile) -> None:
    """Another transaction has made those of the next rows, and does not end."""
    hostile.run("INSERT INTO audit_log (action, actor) SELECT 'many', 'somebody-' || n FROM generate_series(1, 100) AS n")
    holding = Pool(hostile.url)
    with holding.connection() as session:
        session.script("BEGIN")
        assert session.run("SELECT add_audit_salts(0, 1000, 1000)") == [[True]]
        hostile.seals_and_verifies()
        with pytest.raises(PostgresUnavailable):
            session.script("COMMIT")
    holding.close()
    assert hostile.audit.problems() == []


def test_a_salt_is_made_for_those_alone_whom_a_row_speaks_of(hostile: Hostile) -> None:
    hostile.run("INSERT INTO audit_log (action, actor) VALUES ('test', 'somebody')")
    assert hostile.run("SELECT add_audit_salts(0, 9223372036854775807, 2147483647)") == [[True]]
    known = {row[0] for row in hostile.run("SELECT subject FROM audit_salts")}
    spoken_of = {row[0] for row in hostile.run("SELECT actor FROM audit_log")}
    assert known == spoken_of
    hostile.seals_and_verifies()


def test_nothing_leaves_the_log_before_its_time_and_no_word_of_a_stranger_counts(hostile: Hostile) -> None:
    for _ in range(3):
        hostile.seals_and_verifies()
    rows = hostile.run("SELECT count(*) FROM audit_log")
    assert hostile.run("SELECT * FROM begin_audit_archive(-2147483648)") == [[None, None]]
    assert hostile.run("SELECT archive_audit(9223372036854775807, 2147483647)") == [[0]]
    assert hostile.run("SELECT count(*) FROM audit_log") == rows
    [seal] = hostile.audit.chain.seals.page(1, 1)
    signed = seal.restated(f"2:{NO_HASH}")
    for key_id in ("test", "unheard-of"):
        hostile.run(
            "INSERT INTO audit_signatures (key_id, signed, mac) VALUES (:key_id, :signed, :mac)",
            key_id=key_id,
            signed=signed,
            mac=SealSigner({key_id: bytes(32)}).sign(signed).mac,
        )
    assert not hostile.audit.chain.is_signed(signed)
    assert archive_audit(1, hostile.audit.chain) == 0
    hostile.seals_and_verifies()


def forgery(hostile: Hostile, number: int, key_id: str, last: Seal) -> Seal:
    """A seal after the last one that could be ours, but for its signature."""
    content = Content(last.content.last_id + 1, last.content.last_id + 1, 0, NO_HASH, datetime.now(UTC))
    [[given]] = hostile.run("SELECT last_value FROM audit_log_id_seq")
    content = replace(content, first_id=min(content.first_id, given), last_id=given)
    hash_text = Seal.hash_of(number, content, last.hash)
    signature = SealSigner({key_id: bytes(32)}).sign(hash_text)
    return Seal(number, content, last.hash, hash_text, signature)


def add(session: Session, seal: Seal) -> bool:
    """In a transaction of the caller's."""
    content = seal.content
    [[added]] = session.run(
        statement("add_seals"),
        seqs=[seal.seq],
        first_ids=[content.first_id],
        last_ids=[content.last_id],
        row_counts=[content.row_count],
        sealed_ats=[(content.read_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)],
        content_hashes=[content.content_hash],
        previous_hashes=[seal.previous_hash],
        hashes=[seal.hash],
        key_ids=[seal.signature.key_id],
        macs=[seal.signature.mac],
    )
    return bool(added)
