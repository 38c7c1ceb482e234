"""What the use cases ask of the world; adapters implement these, and neither side imports the other.

Every method may raise the `Unavailable` error of its store; whatever else it raises is said at the method.
"""

from __future__ import annotations

from shared.ports.accounts import (
    Access,
    AccessTokens,
    AccountChanges,
    KeptAnswers,
    LoginThrottle,
    PasswordHasher,
    Profiles,
    RefreshTokens,
    RequestLimits,
    Sessions,
    TicketSigner,
    Users,
    WsTickets,
)
from shared.ports.audit import AuditLog, AuditSeals, Refusals, SealAnchor, SealSigner
from shared.ports.board import BoardCache, BoardCheck, Leaderboard, Outbox, RateWindows
from shared.ports.gauges import BoardGauge, LedgerGauge, QueueGauge, QueueWatch
from shared.ports.installation import BoardMark, BrokerMark, InstallationRecord, Installations
from shared.ports.ledger import DeadLetters, Ledger, Migrations, Reconciliations
from shared.ports.messages import DeadLetterQueue, EventCodec, EventPublisher, Sealer, Topology
from shared.ports.platform import Clock, Leases, Offload
from shared.ports.viewers import Viewers

__all__ = [
    "Access",
    "AccessTokens",
    "AccountChanges",
    "AuditLog",
    "AuditSeals",
    "BoardCache",
    "BoardCheck",
    "BoardGauge",
    "BoardMark",
    "BrokerMark",
    "Clock",
    "DeadLetterQueue",
    "DeadLetters",
    "EventCodec",
    "EventPublisher",
    "InstallationRecord",
    "Installations",
    "KeptAnswers",
    "Leaderboard",
    "Leases",
    "Ledger",
    "LedgerGauge",
    "LoginThrottle",
    "Migrations",
    "Offload",
    "Outbox",
    "PasswordHasher",
    "Profiles",
    "QueueGauge",
    "QueueWatch",
    "RateWindows",
    "Reconciliations",
    "RefreshTokens",
    "Refusals",
    "RequestLimits",
    "SealAnchor",
    "SealSigner",
    "Sealer",
    "Sessions",
    "TicketSigner",
    "Topology",
    "Users",
    "Viewers",
    "WsTickets",
]
