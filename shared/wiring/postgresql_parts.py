"""Ports behind which PostgreSQL stands."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared import ports
from shared.wiring.parts import Parts

if TYPE_CHECKING:
    from shared.adapters.postgresql.pool import Pool
    from shared.domain.instance import Instance


class PostgresParts(Parts):
    """One pool for all; another one, of the tables' owner, for the migrations."""

    @cached_property
    def _pool(self) -> Pool:
        from shared.adapters.postgresql.pool import Pool

        return Pool(self.settings.database_url, ca_file=self.settings.database_ca_file)

    @cached_property
    def _owners_pool(self) -> Pool:
        from shared.adapters.postgresql.pool import Pool

        url, ca_file = self.settings.migrations_database_url, self.settings.database_ca_file
        return Pool(url, size=1, ca_file=ca_file, name="MIGRATIONS_DATABASE_URL")

    @cached_property
    def users(self) -> ports.Users:
        from shared.adapters.postgresql.users import PostgresUsers

        return PostgresUsers(self._pool)

    @cached_property
    def account_changes(self) -> ports.AccountChanges:
        from shared.adapters.postgresql.account_changes import PostgresAccountChanges

        return PostgresAccountChanges(self._pool)

    @cached_property
    def refresh_tokens(self) -> ports.RefreshTokens:
        from shared.adapters.postgresql.refresh_tokens import PostgresRefreshTokens

        return PostgresRefreshTokens(self._pool)

    @cached_property
    def sessions(self) -> ports.Sessions:
        from shared.adapters.postgresql.sessions import PostgresSessions

        return PostgresSessions(self._pool)

    @cached_property
    def kept_answers(self) -> ports.KeptAnswers:
        from shared.adapters.postgresql.kept_answers import PostgresKeptAnswers

        return PostgresKeptAnswers(self._pool)

    @cached_property
    def ledger(self) -> ports.Ledger:
        from shared.adapters.postgresql.ledger import PostgresLedger

        return PostgresLedger(self._pool)

    @cached_property
    def dead_letters(self) -> ports.DeadLetters:
        from shared.adapters.postgresql.dead_letters import PostgresDeadLetters

        return PostgresDeadLetters(self._pool)

    @cached_property
    def reconciliations(self) -> ports.Reconciliations:
        from shared.adapters.postgresql.reconciliations import PostgresReconciliations

        return PostgresReconciliations(self._pool)

    @cached_property
    def ledger_gauge(self) -> ports.LedgerGauge:
        from shared.adapters.postgresql.gauge import PostgresLedgerGauge

        return PostgresLedgerGauge(self._pool)

    @cached_property
    def installations(self) -> ports.Installations:
        from shared.adapters.postgresql.installations import PostgresInstallations

        return PostgresInstallations(self._owners_pool if self.settings.migrations_database_url else self._pool)

    @cached_property
    def leases(self) -> ports.Leases:
        from shared.adapters.postgresql.leases import PostgresLeases

        return PostgresLeases(self._pool)

    @cached_property
    def instance(self) -> Instance:
        """Who this is among the instances on the same stores."""
        from shared.domain.instance import Instance

        names = ("history_queues", "key_prefix", "rate_limit_requests", "rate_window_seconds")
        values = {name.upper(): getattr(self.settings, name) for name in names}
        return Instance(self.settings.instance_id, self.settings.former_instance_id, values)

    @cached_property
    def migrations(self) -> ports.Migrations:
        from shared.adapters.postgresql.migrations import PostgresMigrations
        from shared.adapters.postgresql.url import DatabaseUrl

        if not self.settings.migrations_database_url:
            return PostgresMigrations(self._pool)
        return PostgresMigrations(self._owners_pool, functions_role=DatabaseUrl.parse(self.settings.database_url).user)

    @cached_property
    def audit_log(self) -> ports.AuditLog:
        from shared.adapters.postgresql.audit_log import PostgresAuditLog

        return PostgresAuditLog(self._pool)

    @cached_property
    def audit_seals(self) -> ports.AuditSeals:
        from shared.adapters.postgresql.audit_seals import PostgresAuditSeals

        return PostgresAuditSeals(self._pool)
