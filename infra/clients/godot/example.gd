## The root of a scene with a Label named Board and a Button named Score below it.
extends Control

var _scoreboard := Scoreboard.new("http://127.0.0.1:8080")


func _ready() -> void:
	add_child(_scoreboard)
	_scoreboard.board_changed.connect(_show)
	_scoreboard.live_changed.connect(
		func(is_live: bool, reason: String) -> void: print("live" if is_live else reason)
	)
	var username := "godot-%d" % randi()
	var registered := await _scoreboard.register(username, "correct horse battery")
	if not registered.is_ok():
		push_error(registered.code + ": " + registered.detail)
		return
	await _scoreboard.log_in(username, "correct horse battery")
	($Score as Button).pressed.connect(_score)
	_scoreboard.watch()


func _score() -> void:
	var answer := await _scoreboard.add_points(5)
	print(answer.body["data"]["score"] if answer.is_ok() else answer.detail)


func _show(lines: Array) -> void:
	var texts := lines.map(
		func(line: Dictionary) -> String:
			return "%d. %s %d" % [line["rank"], line["displayName"], line["score"]]
	)
	($Board as Label).text = "\n".join(PackedStringArray(texts))
