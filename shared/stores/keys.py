"""Every Redis key, made in one place; the prefix (a hash tag) keeps one board in one cluster slot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shared.core.ids import folded


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one board. Those without a TTL must never vanish; those with one may."""

    prefix: str = ""

    @property
    def installation(self) -> str:
        """String: id of the installation that this Redis belongs to, as in the database. No TTL."""
        return f"{self.prefix}installation"

    @property
    def leaderboard(self) -> str:
        """Sorted set: member `user:<id>`, score the cumulative points. No TTL."""
        return f"{self.prefix}leaderboard"

    @property
    def leaderboard_whole(self) -> str:
        """String: present when the leaderboard holds everything the ledger does; absent in an empty Redis. No TTL.

        Its value: since when (ms) the first results of updates are all here; 0 for always.
        """
        return f"{self.prefix}leaderboard:whole"

    @property
    def leaderboard_numbers(self) -> str:
        """Hash: epoch and sequence of the newest accepted update; `open` while updates may be numbered in this epoch; `server`,
        the Redis that the epoch was opened in. No TTL.
        """
        return f"{self.prefix}leaderboard:numbers"

    @property
    def leaderboard_server(self) -> str:
        """String: the Redis that the leaderboard was last held against the ledger in. No TTL."""
        return f"{self.prefix}leaderboard:server"

    @property
    def leaderboard_suspects(self) -> str:
        """Set: ids of players the next reconciliation must look at. No TTL."""
        return f"{self.prefix}leaderboard:suspects"

    @property
    def leaderboard_sweep(self) -> str:
        """Hash: how far the rolling comparison of the whole board has come, and the number of the newest run. No TTL."""
        return f"{self.prefix}leaderboard:sweep"

    @property
    def rebuild_asked(self) -> str:
        """String: somebody asked for a rebuild a moment ago. TTL 5 s."""
        return f"{self.prefix}leaderboard:rebuild-asked"

    def leaderboard_rebuild(self, token: str) -> str:
        """Sorted set: a leaderboard on its way to completeness. TTL until it takes the leaderboard's place."""
        return f"{self.prefix}leaderboard:rebuild:{token}"

    @property
    def leaderboard_version(self) -> str:
        """String: version of the newest broadcast frame. No TTL."""
        return f"{self.prefix}leaderboard:version"

    @property
    def outbox(self) -> str:
        """Stream: accepted updates that the ledger does not have yet. No TTL."""
        return f"{self.prefix}outbox"

    @property
    def outbox_published(self) -> str:
        """Hash: by process, the newest entry of its own that the broker confirmed. No TTL."""
        return f"{self.prefix}outbox:published"

    @property
    def outbox_relayed(self) -> str:
        """String: the entry up to which all have been published, by their processes or by the relay. No TTL."""
        return f"{self.prefix}outbox:relayed"

    @property
    def outbox_malformed(self) -> str:
        """Stream: entries of the outbox that could not be read. No TTL."""
        return f"{self.prefix}outbox:malformed"

    def relay_claimed(self, what: str) -> str:
        """String: a process publishes what others `left` in the outbox, or what was `lost:` with queues. TTL 2 s."""
        return f"{self.prefix}outbox:relay-claimed:{what}"

    @property
    def readiness_probe(self) -> str:
        """String: written to find out whether Redis takes writes. TTL 60 s."""
        return f"{self.prefix}readiness:probe"

    @property
    def queues_empty(self) -> str:
        """Hash: when each queue of the broker was last seen empty (ms). No TTL."""
        return f"{self.prefix}queues:empty"

    @property
    def refusals(self) -> str:
        """Hash: refusals that are not in the audit log yet, counted by kind and minute. No TTL."""
        return f"{self.prefix}refusals"

    @property
    def refusal_kinds(self) -> str:
        """Hash: how many kinds there are of the current minute, and of each network in it. No TTL."""
        return f"{self.prefix}refusals:kinds"

    @property
    def refusals_taken(self) -> str:
        """Hash: refusals that are being recorded. No TTL."""
        return f"{self.prefix}refusals:taken"

    @property
    def refusals_batch(self) -> str:
        """String: the id under which they are recorded. No TTL."""
        return f"{self.prefix}refusals:batch"

    @property
    def audit_head(self) -> str:
        """String: the newest seal of the audit log, as JSON. No TTL."""
        return f"{self.prefix}audit:head"

    @property
    def audit_sealing(self) -> str:
        """String: the run that may add seals to the audit log. TTL 2 min."""
        return f"{self.prefix}audit:sealing"

    def viewers(self, shard: int) -> str:
        """Sorted set: connection ids of the WebSocket API, when (ms) their sessions end. No TTL."""
        return f"{self.prefix}viewers:{shard}"

    def viewers_of(self, user_id: str) -> str:
        """Hash: connections of an account with their sessions; without it they end when their access tokens do. TTL 16 min."""
        return f"{self.prefix}user:{user_id}:viewers"

    def viewers_since(self, shard: int) -> str:
        """Hash: when (ms) each of them connected. No TTL."""
        return f"{self.prefix}viewers:{shard}:since"

    def viewers_owed(self, shard: int) -> str:
        """Sorted set: those of them who get a frame out of turn, from when (ms) on. No TTL."""
        return f"{self.prefix}viewers:{shard}:owed"

    def viewers_round(self, shard: int) -> str:
        """Hash: how far the newest frame has come among them, and who is posting to them. No TTL."""
        return f"{self.prefix}viewers:{shard}:round"

    @property
    def frame(self) -> str:
        """Hash: the newest frame for those to whom it is posted or published, and the ticks of making frames. No TTL."""
        return f"{self.prefix}viewers:frame"

    @property
    def viewers_quota(self) -> str:
        """Hash: bucket of requests to the gateway. No TTL."""
        return f"{self.prefix}viewers:quota"

    @property
    def viewers_asked(self) -> str:
        """String: a broadcast for newcomers was asked for. TTL 5 s."""
        return f"{self.prefix}viewers:asked"

    def cached_top(self, limit: int) -> str:
        """String: the prepared JSON document of the first `limit` places. TTL 5 s."""
        return f"{self.prefix}cached_top_{limit}"

    def member(self, user_id: str) -> str:
        """The member of the leaderboard, not a key: never prefixed."""
        return f"user:{user_id}"

    def requests(self, user_id: str) -> str:
        """List: instants (ms) of the player's accepted updates, newest first, at most the limit. No TTL."""
        return f"{self.prefix}user:{user_id}:requests"

    def spent_tickets(self, user_id: str) -> str:
        """Sorted set: request ids of the action tickets the player spent, until when (ms) each must be known. No TTL."""
        return f"{self.prefix}user:{user_id}:tickets"

    @property
    def rate_windows(self) -> str:
        """Sorted set: ids of players who have one of these two, from when on (ms) all in them is past. No TTL."""
        return f"{self.prefix}rate-windows"

    @property
    def ended_sessions(self) -> str:
        """Sorted set: ids of sessions that ended, until when (ms) each must be known; and a mark that all are here. No TTL."""
        return f"{self.prefix}ended-sessions"

    def profile(self, user_id: str) -> str:
        """Hash: username, role, api_key (hash), disabled. Short TTL."""
        return f"{self.prefix}user:{user_id}:profile"

    def result(self, user_id: str, key_id: str) -> str:
        """Hash: the first result of an idempotency key, good for a day. No TTL."""
        return f"{self.prefix}user:{user_id}:result:{key_id}"

    @property
    def results(self) -> str:
        """Stream: players and ids of the keys whose results are kept, in the order in which they go. No TTL."""
        return f"{self.prefix}results"

    def ws_ticket(self, ticket_hash: str) -> str:
        """String: the caller a WebSocket ticket was made for; the hash is of ticket and step. TTL 30 s."""
        return f"{self.prefix}ws-ticket:{ticket_hash}"

    def login_failures(self, username: str, network: str) -> str:
        """Hash: count of failed log-ins of one account from one network and when the next is allowed. TTL delay + 15 min."""
        return f"{self.prefix}login-failures:{_hidden(username)}:{network}"

    def login_failures_of_account(self, username: str) -> str:
        """Hash: the same from all networks that the account was never logged in from. TTL delay + 1 h."""
        return f"{self.prefix}login-failures-of-account:{_hidden(username)}"

    def login_failures_of_network(self, network: str) -> str:
        """Hash: the same into all accounts that were never logged in from there. TTL delay + 1 h."""
        return f"{self.prefix}login-failures-of-network:{network}"

    def login_networks(self, username: str) -> str:
        """Sorted set: networks an account was logged in from, until when (ms) each is remembered. TTL 90 days."""
        return f"{self.prefix}login-networks:{_hidden(username)}"

    @property
    def limits_since(self) -> str:
        """Hash: since when (ms) requests and failed log-ins are counted, 0 for always; how many registrations there were in the
        hour before; the server in which they are counted. Without it limits begin anew, and not open. No TTL.
        """
        return f"{self.prefix}limits:since"

    def request_limit(self, kind: str, scope: str, whom: str) -> str:
        """String: the instant (ms) at which nothing of this limit will be used any more. TTL until then."""
        return f"{self.prefix}requests:{kind}:{scope}:{whom}"


def _hidden(username: str) -> str:
    """What was typed as a name may be a password in the wrong field, and Redis writes its keys to disk."""
    return hashlib.sha256(folded(username).encode()).hexdigest()[:32]


def user_id_of(member: str) -> str:
    """The player of a leaderboard member."""
    return member.removeprefix("user:")
