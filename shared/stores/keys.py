"""Every Redis key, made in one place: those of a shard, of a board in it, of a player in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from shared.core.ids import folded


class UserKeys(NamedTuple):
    """Keys of one player in one shard, all of which begin alike. Those without a TTL must never vanish; those with one may."""

    beginning: str

    @property
    def viewers(self) -> str:
        """Hash: connections of an account with their sessions; without it they end when their access tokens do. TTL 16 min."""
        return f"{self.beginning}:viewers"

    @property
    def requests(self) -> str:
        """List: instants (ms) of the player's accepted updates, newest first, at most the limit. No TTL."""
        return f"{self.beginning}:requests"

    def requests_of(self, board_id: str) -> str:
        """List: the same of the player's entries on a board that an operator defined. No TTL."""
        return f"{self.requests}:{board_id}"

    @property
    def spent_tickets(self) -> str:
        """Sorted set: request ids of the action tickets the player spent, until when (ms) each must be known. No TTL."""
        return f"{self.beginning}:tickets"

    @property
    def profile(self) -> str:
        """Hash: username, role, api_key (hash), disabled, display_name, hidden_on. Short TTL."""
        return f"{self.beginning}:profile"

    def result(self, key_id: str) -> str:
        """Hash: the first result of an idempotency key, good for a day. No TTL."""
        return f"{self.beginning}:result:{key_id}"


class ViewersKeys(NamedTuple):
    """Keys of connections of the WebSocket API that are sent the same frames, in shards."""

    beginning: str

    def connections(self, shard: int) -> str:
        """Sorted set: connection ids, when (ms) their sessions end."""
        return f"{self.beginning}:{shard}"

    def since(self, shard: int) -> str:
        """Hash: when (ms) each of them connected; of `main` only."""
        return f"{self.beginning}:{shard}:since"

    def owed(self, shard: int) -> str:
        """Sorted set: those of them who get a frame out of turn, from when (ms) on."""
        return f"{self.beginning}:{shard}:owed"

    def round(self, shard: int) -> str:
        """Hash: how far the newest frame has come among them, and who is posting to them."""
        return f"{self.beginning}:{shard}:round"

    @property
    def frame(self) -> str:
        """Hash: the newest frame; see put_frame and put_views."""
        return f"{self.beginning}:frame"


class BoardKeys(NamedTuple):
    """Keys of one board in one shard. Those without a TTL must never vanish; those with one may.

    `name` is the board's own key, with which those beside it begin; `prepared` is how those of its documents do.
    """

    prefix: str
    name: str
    prepared: str

    @property
    def leaderboard(self) -> str:
        """Sorted set: a member for each player, as the board names them, with its score. No TTL."""
        return f"{self.prefix}{self.name}"

    @property
    def hidden(self) -> str:
        """Sorted set: members of hidden players, with the score they come back to the leaderboard with. No TTL."""
        return f"{self.prefix}{self.name}:hidden"

    @property
    def whole(self) -> str:
        """String: present when the leaderboard holds everything the ledger does; absent in an empty Redis. No TTL.

        Its value: since when (ms) the first results of updates are all here; 0 for always.
        """
        return f"{self.prefix}{self.name}:whole"

    @property
    def numbers(self) -> str:
        """Hash: epoch and sequence of the newest accepted update; `open` while updates may be numbered in this epoch; `server`,
        the Redis that the epoch was opened in. No TTL.
        """
        return f"{self.prefix}{self.name}:numbers"

    @property
    def server(self) -> str:
        """String: the Redis that the leaderboard was last held against the ledger in. No TTL."""
        return f"{self.prefix}{self.name}:server"

    @property
    def suspects(self) -> str:
        """Set: ids of players the next reconciliation must look at. No TTL."""
        return f"{self.prefix}{self.name}:suspects"

    @property
    def sweep(self) -> str:
        """Hash: how far the rolling comparison of the whole board has come, the number of the newest run, and which entries of
        other boards the last two have seen. No TTL.
        """
        return f"{self.prefix}{self.name}:sweep"

    @property
    def rebuild_asked(self) -> str:
        """String: somebody asked for a rebuild a moment ago. TTL 5 s."""
        return f"{self.prefix}{self.name}:rebuild-asked"

    def rebuild(self, token: str) -> str:
        """Sorted set: a leaderboard on its way to completeness. TTL until it takes the leaderboard's place."""
        return f"{self.prefix}{self.name}:rebuild:{token}"

    def rebuild_hidden(self, token: str) -> str:
        """Sorted set: the hidden members that go with it. TTL until they take the place of those that were hidden."""
        return f"{self.rebuild(token)}:hidden"

    @property
    def version(self) -> str:
        """String: version of the newest broadcast frame. No TTL."""
        return f"{self.prefix}{self.name}:version"

    def cached_top(self, limit: int) -> str:
        """String: the prepared JSON document of the first `limit` places. TTL 5 s."""
        return f"{self.prefix}{self.prepared}_{limit}"


class DefinedBoardKeys(NamedTuple):
    """Keys of a board that an operator defined. None has a TTL but those of what is being built."""

    board: str

    def scores(self, period: str, season: int) -> str:
        """Sorted set: members of a season with their scores."""
        return f"{self.board}:{period}:{season}"

    def members(self, period: str, season: int) -> str:
        """Hash: the member of each player in a season, hidden ones too."""
        return f"{self.scores(period, season)}:members"

    def hidden(self, period: str, season: int) -> str:
        """Sorted set: members of hidden players, with the score they come back with."""
        return f"{self.scores(period, season)}:hidden"

    def building(self, token: str, part: int) -> str:
        """Sorted set or hash: what will be one of the keys above. TTL until it is."""
        return f"{self.board}:building:{token}:{part}"


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Keys of one shard: what all its boards share. Those without a TTL must never vanish; those with one may.

    The prefix (a hash tag) keeps a shard in one slot of a cluster.
    """

    prefix: str = ""

    def user(self, user_id: str) -> UserKeys:
        """Those of a player in this shard."""
        return UserKeys(f"{self.prefix}user:{user_id}")

    def board(self, name: str, prepared: str) -> BoardKeys:
        """Those of a board in this shard, as the board says it is named."""
        return BoardKeys(self.prefix, name, prepared)

    def defined(self, board_id: str) -> DefinedBoardKeys:
        """Those of a board that an operator defined; `board` itself is a hash: version, definition (JSON), and of each period
        `season:<period>`: number, start and end (ms). Absent while this Redis does not hold the board.
        """
        return DefinedBoardKeys(f"{self.prefix}board:{board_id}")

    @property
    def installation(self) -> str:
        """String: id of the installation that this Redis belongs to, as in the database. No TTL."""
        return f"{self.prefix}installation"

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
    def replicated(self) -> str:
        """String: written before it is asked whether replicas have all that was written. No TTL."""
        return f"{self.prefix}replicated"

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

    @property
    def viewers(self) -> ViewersKeys:
        """Those of everybody on the WebSocket API who is sent `main`. No TTL."""
        return ViewersKeys(f"{self.prefix}viewers")

    def view(self, name: str) -> ViewersKeys:
        """Those of everybody there who watches a view of another board. TTL: as long as a connection can last."""
        return ViewersKeys(f"{self.prefix}viewers:{name}")

    @property
    def quiet_viewers(self) -> str:
        """Sorted set: connection ids of those there who are not sent `main`, when (ms) their sessions end. No TTL."""
        return f"{self.prefix}viewers:quiet"

    def viewer(self, connection_id: str) -> str:
        """Hash: ends_at (ms) and user_id of a connection there, under `id:<id>` the view of a subscription. TTL: then 10 min."""
        return f"{self.prefix}viewer:{connection_id}"

    @property
    def watched_views(self) -> str:
        """Sorted set: views that are watched there, until when (ms). No TTL."""
        return f"{self.prefix}viewers:watched"

    def views_version(self, board_id: str) -> str:
        """String: version of the newest reading of a board for those who watch it there. TTL 1 h."""
        return f"{self.prefix}viewers:board:{board_id}:version"

    def views_ticks(self, board_id: str) -> str:
        """Hash: the ticks of making frames of its views. TTL: as long as a connection can last."""
        return f"{self.prefix}viewers:board:{board_id}"

    @property
    def viewers_quota(self) -> str:
        """Hash: bucket of requests to the gateway. No TTL."""
        return f"{self.prefix}viewers:quota"

    @property
    def viewers_asked(self) -> str:
        """String: a broadcast for newcomers was asked for. TTL 5 s."""
        return f"{self.prefix}viewers:asked"

    @property
    def changed_profiles(self) -> str:
        """Stream: ids of the accounts whose profile was changed, the newest 1,000 changes. No TTL."""
        return f"{self.prefix}changed-profiles"

    @property
    def rate_windows(self) -> str:
        """Sorted set: ids of players who have `requests` or `spent_tickets`, and `<user id> <board id>` of those who have
        `requests_of` a board, from when on (ms) all in them is past. No TTL.
        """
        return f"{self.prefix}rate-windows"

    @property
    def ended_sessions(self) -> str:
        """Sorted set: ids of sessions that ended, until when (ms) each must be known; and a mark that all are here. No TTL."""
        return f"{self.prefix}ended-sessions"

    @property
    def results(self) -> str:
        """Stream: players and ids of the keys whose results are kept, in the order in which they go. No TTL."""
        return f"{self.prefix}results"

    def server_key(self, key_id: str) -> str:
        """String: hash, boards and scopes of a game server's key, or `revoked`. TTL 15 min."""
        return f"{self.prefix}server-key:{key_id}"

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
