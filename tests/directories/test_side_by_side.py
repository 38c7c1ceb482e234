"""Two versions on the same stores under load, one taking over from the other and giving back, lose nobody's points or frames."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.persistent_players import Players
from tests.lambda_runtime.deployment import Stores, private_stores
from tests.support.api import Player, frame_with
from tests.support.keys import new_keys
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("side by side"), pytest.mark.timeout(600)]
PROGRAM = ("shared", "functions", "local_runtime", "infra")
ADDED = "-- A table that the version before does not know.\nCREATE TABLE added_later (id BIGINT PRIMARY KEY);\n"
NARROWED = (
    "-- Nothing here, but a version that does not know it would come to harm.\n-- Oldest schema beside it: 9999\nSELECT 1;\n"
)
SEALED = "class _Sealed(msgspec.Struct, omit_defaults=True):"
PLAYERS = 6


@pytest.fixture
def stores() -> Iterator[Stores]:
    with private_stores() as running:
        yield running


def released(directory: Path) -> Path:
    """The program of an earlier version: `git archive COMMIT shared functions local_runtime pyproject.toml` and both templates of
    `infra`, through `xz -9e`; `COMMIT-program.tar.xz` beside the archive of its data directory.
    """
    [archive] = Path(__file__).parent.glob("*-program.tar.xz")
    with tarfile.open(archive) as files:
        files.extractall(directory, filter="data")
    return directory


def following(directory: Path, migration: str) -> Path:
    """This program with one more migration, which writes a member more into the sealed part of messages."""
    for part in PROGRAM:
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "dist"))
    shutil.copy(ROOT / "pyproject.toml", directory)
    (directory / "shared/stores/migrations/9999_later.sql").write_text(migration)
    messages = directory / "shared/ledger/messages.py"
    text = messages.read_text()
    assert text.count(SEALED) == 1
    text = text.replace(SEALED, "class _Sealed(msgspec.Struct):").replace(
        '    writer: str = ""\n', '    writer: str = ""\n    later: str = "?"\n'
    )
    messages.write_text(text)
    return directory


class Versions:
    """Instances of each version on the same stores, and players and viewers of both."""

    def __init__(self, stores: Stores, stack: ExitStack) -> None:
        self.database_url = stores.owner_database_url
        self._environment = {**stores.environment(), **new_keys(), "RATE_LIMIT_REQUESTS": "1000000"}
        self._stack = stack

    def instance(self, root: Path) -> Product:
        """Not started yet."""
        product = Product(None, "--workers", "1", **self._environment)
        product.root = root
        self._stack.callback(product.destroy)
        return product


@pytest.fixture
def versions(stores: Stores) -> Iterator[Versions]:
    with ExitStack() as stack:
        yield Versions(stores, stack)


def succeeds(product: Product, *verb: str) -> str:
    done = product.verb(*verb)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def see_that_nothing_is_amiss(players: Players, versions: Versions, staying: Product) -> None:
    """Board, ledger and what was acknowledged are equal, every number has come to something, no message was put aside."""
    # What one version has published last is recorded behind what the other one has: each history need not be in order.
    players.check(versions.database_url, staying, in_order=False)
    assert "there are no dead letters" in succeeds(staying, "dead-letters", "list")
    assert "every player is in order" in succeeds(staying, "reconcile", "--full", "--dry-run")


def see_that_numbers_are_complete(instance: Product) -> None:
    def balances() -> bool:
        done = instance.verb("balance")
        return (done.returncode, "in the outbox: 0" in done.stdout) == (0, True)

    eventually(balances, 150, "every number in the ledger")


def see_frames_of(watching: Player, instances: list[Product]) -> None:
    """A viewer at each sees what is scored at each."""
    for watched in instances:
        watching.api = watched.api
        with watching.watch() as viewer:
            for played in instances:
                watching.api = played.api
                frame_with(viewer, watching.user_id, watching.score(5).data["score"], 60)


def take_turns(versions: Versions, older: Product, newer: Product) -> None:
    """The older one alone, both, the newer one alone, both again, the older one alone."""
    older.start()
    players = Players([older], PLAYERS)
    watching = older.api.new_player()
    with players.playing():
        players.wait_for(100)
        newer.start()
        players.move([older, newer])
        see_frames_of(watching, [older, newer])
        players.wait_for(200)
        players.move([newer])
        assert older.stop(60) == 0
        players.wait_for(100)
    see_that_nothing_is_amiss(players, versions, newer)
    see_that_numbers_are_complete(newer)
    with players.playing():
        older.start()
        players.move([older, newer])
        see_frames_of(watching, [older, newer])
        players.wait_for(200)
        players.move([older])
        assert newer.stop(60) == 0
        players.wait_for(100)
    see_that_nothing_is_amiss(players, versions, older)


def test_an_upgrade_from_the_released_version_and_back_loses_nothing(versions: Versions, tmp_path: Path) -> None:
    take_turns(versions, versions.instance(released(tmp_path)), versions.instance(ROOT))


def test_a_version_to_come_that_adds_to_schema_and_messages_runs_beside_this_one(versions: Versions, tmp_path: Path) -> None:
    take_turns(versions, versions.instance(ROOT), versions.instance(following(tmp_path, ADDED)))


def test_of_versions_that_would_harm_each_other_the_second_does_not_start(versions: Versions, tmp_path: Path) -> None:
    present, later = versions.instance(ROOT), versions.instance(following(tmp_path, NARROWED))
    present.start()
    with pytest.raises(AssertionError, match=r"the migration 9999_later .* such instances are running"):
        later.start()
    assert present.api.new_player().score(5).status == 200
    assert present.stop(60) == 0
    later.start()
    with pytest.raises(AssertionError, match=r"a newer version has changed the database \(9999_later\)"):
        present.start()
    assert later.api.new_player().score(5).status == 200
