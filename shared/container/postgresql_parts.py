"""Ports behind which PostgreSQL stands."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.accounts.ports import AccountChanges, RefreshTokens, Sessions, Users
from shared.audit.ports import AuditLog, AuditSeals
from shared.container.parts import Parts
from shared.ledger.ports import DeadLetters, Ledger
from shared.operations.ports import Installations, LedgerGauge
from shared.reconciliation.ports import Reconciliations
from shared.stores.ports import KeptAnswers, Leases, Migrations

if TYPE_CHECKING:
    from shared.core.instance import Instance
    from shared.stores.postgresql.pool import Pool


class PostgresParts(Parts):
    """One pool for all; another one, of the tables' owner, for the migrations."""

    @cached_property
    def _pool(self) -> Pool:
        from shared.stores.postgresql.pool import Pool

        return Pool(self.settings.database_url, ca_file=self.settings.database_ca_file)

    @cached_property
    def _owners_pool(self) -> Pool:
        from shared.stores.postgresql.pool import Pool

        url, ca_file = self.settings.migrations_database_url, self.settings.database_ca_file
        return Pool(url, size=1, ca_file=ca_file, name="MIGRATIONS_DATABASE_URL")

    @cached_property
    def users(self) -> Users:
        from shared.accounts.postgresql import PostgresUsers

        return PostgresUsers(self._pool)

    @cached_property
    def account_changes(self) -> AccountChanges:
        from shared.accounts.postgresql import PostgresAccountChanges

        return PostgresAccountChanges(self._pool)

    @cached_property
    def refresh_tokens(self) -> RefreshTokens:
        from shared.accounts.postgresql import PostgresRefreshTokens

        return PostgresRefreshTokens(self._pool)

    @cached_property
    def sessions(self) -> Sessions:
        from shared.accounts.postgresql import PostgresSessions

        return PostgresSessions(self._pool)

    @cached_property
    def kept_answers(self) -> KeptAnswers:
        from shared.stores.kept_answers import PostgresKeptAnswers

        return PostgresKeptAnswers(self._pool)

    @cached_property
    def ledger(self) -> Ledger:
        from shared.ledger.postgresql import PostgresLedger

        return PostgresLedger(self._pool)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        from shared.ledger.letters_postgresql import PostgresDeadLetters

        return PostgresDeadLetters(self._pool)

    @cached_property
    def reconciliations(self) -> Reconciliations:
        from shared.reconciliation.postgresql import PostgresReconciliations

        return PostgresReconciliations(self._pool)

    @cached_property
    def ledger_gauge(self) -> LedgerGauge:
        from shared.operations.postgresql import PostgresLedgerGauge

        return PostgresLedgerGauge(self._pool)

    @cached_property
    def installations(self) -> Installations:
        from shared.operations.postgresql import PostgresInstallations

        return PostgresInstallations(self._owners_pool if self.settings.migrations_database_url else self._pool)

    @cached_property
    def leases(self) -> Leases:
        from shared.stores.leases import PostgresLeases

        return PostgresLeases(self._pool)

    @cached_property
    def instance(self) -> Instance:
        """Who this is among the instances on the same stores."""
        from shared.core.instance import Instance

        names = ("history_queues", "key_prefix", "rate_limit_requests", "rate_window_seconds")
        values = {name.upper(): getattr(self.settings, name) for name in names}
        return Instance(self.settings.instance_id, self.settings.former_instance_id, values)

    @cached_property
    def migrations(self) -> Migrations:
        from shared.stores.postgresql.migrations import PostgresMigrations
        from shared.stores.postgresql.url import DatabaseUrl

        if not self.settings.migrations_database_url:
            return PostgresMigrations(self._pool)
        return PostgresMigrations(self._owners_pool, functions_role=DatabaseUrl.parse(self.settings.database_url).user)

    @cached_property
    def audit_log(self) -> AuditLog:
        from shared.audit.postgresql import PostgresAuditLog

        return PostgresAuditLog(self._pool)

    @cached_property
    def audit_seals(self) -> AuditSeals:
        from shared.audit.postgresql import PostgresAuditSeals

        return PostgresAuditSeals(self._pool)
