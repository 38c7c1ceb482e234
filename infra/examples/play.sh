#!/usr/bin/env bash
# Everything a player's program does, with curl alone. It needs a running scoreboard:  BASE=http://127.0.0.1:8080 infra/examples/play.sh
set -euo pipefail
BASE=${BASE:-http://127.0.0.1:8080}
NAME=curl-$RANDOM$RANDOM PASSWORD='correct horse battery'

# curl itself comes again after 408, 429, 500, 502, 503, 504 and lost connections, after the time in Retry-After. For a change that is safe
# because of its Idempotency-Key, and only because of it.
ask() { curl --silent --show-error --fail-with-body --retry 8 --retry-all-errors --retry-max-time 60 "$@"; }
post() { local path=$1; shift; ask "$BASE$path" -H 'Content-Type: application/json' "$@"; }
field() { python3 -c 'import json, sys
found = json.load(sys.stdin)
for name in sys.argv[1].split("."): found = found[name]
print(found if found is not None else "")' "$1"; }

# Register, and log in. The access token is good for 15 minutes, the refresh token for 30 days and once. Each change has a key of its
# own, which nobody can guess: with it a lost answer, API key and tokens included, is given again.
KEY=$(python3 -c 'import uuid; print(uuid.uuid4())')
CREDENTIALS="{\"username\": \"$NAME\", \"password\": \"$PASSWORD\"}"
USER_ID=$(post /api/users -H "Idempotency-Key: $KEY-register" -d "$CREDENTIALS" | field data.userId)
LOGIN=$(post /api/tokens -H "Idempotency-Key: $KEY-log-in" -d "$CREDENTIALS")
REFRESH=$(field data.refreshToken <<<"$LOGIN")
TOKEN=$(post /api/tokens -H "Idempotency-Key: $KEY-refresh" -d "{\"refreshToken\": \"$REFRESH\"}" | field data.accessToken)
AS=(-H "Authorization: Bearer $TOKEN")

# Score. However often this is sent, it counts once: the same key, the same body. The ticket names the update before it is made; only
# where the server was started with REQUIRE_ACTION_TICKET=true is it necessary.
TICKET=$(post "/api/score/$USER_ID/tickets" -X POST "${AS[@]}" | field data.ticket)
for _ in 1 2; do
    post "/api/score/$USER_ID" "${AS[@]}" -H "Idempotency-Key: $NAME-goal-1" -H "X-Action-Ticket: $TICKET" -d '{"increment": 5}'
    echo
done
post "/api/score/$USER_ID" "${AS[@]}" -H "Idempotency-Key: $NAME-goal-2" -d '{"increment": 2}'; echo

# The board, asked for again only if it has changed; one's own rank, with two neighbours on each side.
ETAG=$(ask "$BASE/api/scores?limit=10" "${AS[@]}" --dump-header - --output /dev/null | sed -n 's/^[Ee][Tt]ag: *\(.*\)\r$/\1/p')
ask "$BASE/api/scores?limit=10" "${AS[@]}" -H "If-None-Match: $ETAG" --output /dev/null --write-out 'the board again: %{http_code}\n'
echo "score $(ask "$BASE/api/score/$USER_ID?neighbours=2" "${AS[@]}" | field data.score)"

# One's own history, page by page, newest first. An update reaches it moments after its answer.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    PAGE=$(ask "$BASE/api/score/$USER_ID/history?limit=1" "${AS[@]}")
    CURSOR=$(field nextCursor <<<"$PAGE")
    [ -z "$CURSOR" ] || break
    sleep 0.5
done
echo "$PAGE"
ask "$BASE/api/score/$USER_ID/history?limit=1&cursor=$CURSOR" "${AS[@]}"; echo

# A ticket for one WebSocket handshake. Watching is nothing for curl: see play.mjs and play.py.
post /api/ws-tickets -X POST "${AS[@]}" | field data.ticket >/dev/null

# Log out: the session's tokens end at once.
ask -X DELETE "$BASE/api/tokens" "${AS[@]}" -H "Idempotency-Key: $KEY-log-out"
echo "done"
