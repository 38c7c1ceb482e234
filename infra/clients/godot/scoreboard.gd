## A client of the scoreboard for Godot 4.2 or newer: log in, score, and the board live.
##
## Copy it, and change what you like. It is a node: add it to the tree.
class_name Scoreboard
extends Node

## The best players, as often as the board changes: dictionaries with userId, username, displayName,
## rank, score.
signal board_changed(lines: Array)
## Whether the board comes live, and if not, why.
signal live_changed(is_live: bool, reason: String)
## The access token was renewed, or could not be.
signal renewed

const GIVE_UP_AFTER_SECONDS := 60.0
const TIME_LIMIT_SECONDS := 10.0
const STEADY_MSEC := 5000
const SESSION_ENDED := 4401

var user_id := ""
var _base_url: String
var _access_token := ""
var _refresh_token := ""
var _is_renewing := false
var _socket: WebSocketPeer
var _is_watching := false
var _is_following := false
var _version := -1.0
var _ping_seconds := 240.0
var _ping_in := 0.0
var _reconnect_in := 0.0


## What came of a request.
class Answer:
	## 0: none came
	var status := 0
	## stable, from the problem document; empty when it went well
	var code := ""
	## for a person
	var detail := ""
	var body := {}
	var retry_after := 0.0

	func is_ok() -> bool:
		return code.is_empty()

	## Whether the same request, under the same key, may succeed later.
	func is_temporary() -> bool:
		return (
			code != "not_the_api"
			and (status in [0, 429] or status >= 500 or code == "request_in_progress")
		)


func _init(base_url := "http://127.0.0.1:8080") -> void:
	_base_url = base_url.trim_suffix("/")


## Create a player.
func register(username: String, password: String) -> Answer:
	var credentials := {"username": username, "password": password}
	return await _patiently(HTTPClient.METHOD_POST, "/api/users", credentials, false)


func log_in(username: String, password: String) -> Answer:
	var credentials := {"username": username, "password": password}
	return _keep(await _patiently(HTTPClient.METHOD_POST, "/api/tokens", credentials, false))


## Raise the score by 1 to 5. It is sent again, under the same key, until it is answered: it counts
## once.
## Where the server was started with REQUIRE_ACTION_TICKET, each update needs a ticket, too: see
## POST /api/score/{user_id}/tickets.
func add_points(increment: int) -> Answer:
	var path := "/api/score/" + user_id.uri_encode()
	return await _patiently(HTTPClient.METHOD_POST, path, {"increment": increment}, true)


## The best players, once: `body["data"]`.
func top(limit := 10) -> Answer:
	return await _patiently(
		HTTPClient.METHOD_GET, "/api/scores?limit=%d" % limit, null, not user_id.is_empty()
	)


## Have `board_changed` told of every change, until `unwatch`. Where the board is public no log-in
## is needed.
func watch() -> void:
	_is_watching = true
	if _is_following:
		return
	_is_following = true
	var attempt := 0
	while _is_watching:
		var reason := await _connect_socket()
		var began := Time.get_ticks_msec()
		if _socket != null:
			live_changed.emit(true, "")
			reason = await _follow_socket()
			_socket.close()
			_socket = null
		if not _is_watching:
			break
		if Time.get_ticks_msec() - began > STEADY_MSEC:
			attempt = 0
		live_changed.emit(false, reason)
		await _pause(attempt)
		attempt += 1
	_is_following = false


func unwatch() -> void:
	_is_watching = false


func _exit_tree() -> void:
	unwatch()


## Why there is no connection; none is tried for any more when this user may not watch.
func _connect_socket() -> String:
	var answer := await _patiently(
		HTTPClient.METHOD_POST, "/api/ws-tickets", null, not user_id.is_empty()
	)
	if not answer.is_ok():
		_is_watching = _is_watching and answer.is_temporary()
		if not _is_watching:
			live_changed.emit(false, answer.detail)
		return answer.detail
	var ticket: Dictionary = answer.body["data"]
	_ping_seconds = ticket.get("pingInterval", 240.0)
	_reconnect_in = ticket.get("reconnectIn", 600.0)
	var url := "ws" + _base_url.trim_prefix("http") + "/ws"
	if ticket.get("url"):
		url = ticket["url"]
	var socket := WebSocketPeer.new()
	if socket.connect_to_url(url + "?ticket=" + str(ticket["ticket"]).uri_encode()) != OK:
		return "no WebSocket to " + url
	var waited := 0.0
	while socket.get_ready_state() == WebSocketPeer.STATE_CONNECTING:
		if waited > TIME_LIMIT_SECONDS or not _is_watching:
			break
		await get_tree().process_frame
		waited += get_process_delta_time()
		socket.poll()
	if socket.get_ready_state() != WebSocketPeer.STATE_OPEN:
		return "the server, or a proxy on the way, refuses the WebSocket to " + url
	_ping_in = _ping_seconds
	_socket = socket
	return ""


## Until the connection ends, or has to be made anew; why it did.
func _follow_socket() -> String:
	while _is_watching and _reconnect_in > 0.0:
		_socket.poll()
		while _socket.get_available_packet_count() > 0:
			_show(JSON.parse_string(_socket.get_packet().get_string_from_utf8()))
		if _socket.get_ready_state() == WebSocketPeer.STATE_CLOSED:
			if _socket.get_close_code() == SESSION_ENDED:
				_access_token = ""
			return "the connection ended with code %d" % _socket.get_close_code()
		_ping_in -= get_process_delta_time()
		_reconnect_in -= get_process_delta_time()
		if _ping_in <= 0.0:
			_socket.send_text(JSON.stringify({"action": "ping"}))
			_ping_in = _ping_seconds
		await get_tree().process_frame
	_access_token = ""
	return "the connection is made anew"


## Versions only rise, whatever comes late.
func _show(board: Variant) -> void:
	if board is Dictionary and board.get("type") == "leaderboard" and board["version"] > _version:
		_version = board["version"]
		board_changed.emit(board["data"])


## The same request until it is answered, waiting as the server says, or ever longer, and never all
## clients at once.
func _patiently(
	method: HTTPClient.Method, path: String, body: Variant, needs_token: bool
) -> Answer:
	var key := Crypto.new().generate_random_bytes(16).hex_encode()
	var give_up_at := Time.get_ticks_msec() + GIVE_UP_AFTER_SECONDS * 1000.0
	var attempt := 0
	while true:
		var answer := await _call(method, path, body, key, needs_token)
		var may_pass := answer.is_temporary() and Time.get_ticks_msec() < give_up_at
		if answer.is_ok() or not may_pass or not is_inside_tree():
			return answer
		await get_tree().create_timer(answer.retry_after).timeout
		await _pause(attempt)
		attempt += 1
	return null


func _pause(attempt: int) -> void:
	await get_tree().create_timer(randf() * minf(15.0, 0.5 * pow(2.0, attempt))).timeout


## Once, and once more when the token was refused.
func _call(
	method: HTTPClient.Method, path: String, body: Variant, key: String, needs_token: bool
) -> Answer:
	if not needs_token:
		return await _send(method, path, body, key, "")
	for second in [false, true]:
		if _access_token.is_empty():
			var renewal := await _renew()
			if not renewal.is_ok():
				return renewal
		var token := _access_token
		var answer := await _send(method, path, body, key, token)
		if answer.status != 401 or second:
			return answer
		if token == _access_token:
			_access_token = ""
	return null


## One renewal at a time: a refresh token is good for one use.
func _renew() -> Answer:
	if _is_renewing:
		await renewed
		if not _access_token.is_empty():
			return Answer.new()
	if _refresh_token.is_empty():
		return _failed(401, "session_ended", "Nobody is logged in.")
	_is_renewing = true
	var key := _refresh_token.sha256_text()  # sent again, it gives the same successor
	var answer := _keep(
		await _send(
			HTTPClient.METHOD_POST, "/api/tokens", {"refreshToken": _refresh_token}, key, ""
		)
	)
	_is_renewing = false
	renewed.emit()
	return answer


func _keep(answer: Answer) -> Answer:
	if answer.is_ok():
		var tokens: Dictionary = answer.body["data"]
		_access_token = tokens["accessToken"]
		_refresh_token = tokens["refreshToken"]
		user_id = tokens["userId"]
	return answer


func _failed(status: int, code: String, detail: String) -> Answer:
	var answer := Answer.new()
	answer.status = status
	answer.code = code
	answer.detail = detail
	return answer


func _send(
	method: HTTPClient.Method, path: String, body: Variant, key: String, token: String
) -> Answer:
	var headers := PackedStringArray(["Content-Type: application/json"])
	if method != HTTPClient.METHOD_GET:
		headers.append("Idempotency-Key: " + key)
	if not token.is_empty():
		headers.append("Authorization: Bearer " + token)
	var request := HTTPRequest.new()
	request.timeout = TIME_LIMIT_SECONDS
	request.max_redirects = 0
	add_child(request)
	var content := "" if body == null else JSON.stringify(body)
	var answer: Answer
	if request.request(_base_url + path, headers, method, content) == OK:
		answer = _read(await request.request_completed)
	else:
		answer = _failed(0, "not_the_api", "%s is no URL of a scoreboard" % _base_url)
	request.queue_free()
	return answer


func _read(completed: Array) -> Answer:
	var result: int = completed[0]
	if result not in [HTTPRequest.RESULT_SUCCESS, HTTPRequest.RESULT_REDIRECT_LIMIT_REACHED]:
		var detail := "%s does not answer (HTTPRequest.Result %d)" % [_base_url, result]
		return _failed(0, "no_answer", detail)
	var answer := Answer.new()
	answer.status = completed[1]
	for header: String in completed[2]:
		if header.to_lower().begins_with("retry-after:"):
			answer.retry_after = header.get_slice(":", 1).strip_edges().to_float()
	var text: String = (completed[3] as PackedByteArray).get_string_from_utf8()
	var document: Variant = {} if answer.status == 204 else JSON.parse_string(text)
	var is_success := answer.status >= 200 and answer.status < 300
	var fields: Dictionary = document if document is Dictionary else {}
	if is_success and (fields.has("data") or answer.status == 204):
		answer.body = fields
	elif not is_success and fields.has("code"):
		answer.code = str(fields["code"])
		answer.detail = str(fields.get("detail", answer.code))
	else:
		var is_outage := answer.status == 429 or (answer.status >= 500 and answer.status != 501)
		answer.code = "unknown" if is_outage else "not_the_api"
		var told := "%s answered %d, but not as a scoreboard does: is that its address?"
		answer.detail = told % [_base_url, answer.status]
	return answer
