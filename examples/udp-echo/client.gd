# A Godot client for the echo server. Godot 3, headless:
#   godot3-server -s client.gd [HOST] [PORT]        or HOST and PORT in the environment; MESSAGE what to say
# Godot 4: `godot --headless -s client.gd`, and in this file `to_utf8()` becomes `to_utf8_buffer()`, `func _idle(_delta)`
# becomes `func _process(_delta)` and `OS.get_ticks_msec()` becomes `Time.get_ticks_msec()`.
# Prints the reply and exits with 0, or with 1 when there is none within three seconds.
extends SceneTree

const ANSWER_WITHIN_MS = 3000
const AGAIN_AFTER_MS = 500

var udp = PacketPeerUDP.new()
var message = "The answer is... 42!"
var began = 0
var said = -AGAIN_AFTER_MS
var finished = false

func _init():
	var host = "127.0.0.1"
	var port = "4433"
	if OS.get_environment("HOST") != "":
		host = OS.get_environment("HOST")
	if OS.get_environment("PORT") != "":
		port = OS.get_environment("PORT")
	if OS.get_environment("MESSAGE") != "":
		message = OS.get_environment("MESSAGE")
	var arguments = OS.get_cmdline_args()
	var script = Array(arguments).find("-s")
	if script >= 0 and arguments.size() > script + 2:
		host = arguments[script + 2]
	if script >= 0 and arguments.size() > script + 3:
		port = arguments[script + 3]
	if udp.connect_to_host(host, int(port)) != OK:
		printerr("Cannot connect to %s:%s: give an address and a port." % [host, port])
		leave(1)
	began = OS.get_ticks_msec()

func _idle(_delta):
	if finished:
		return
	var now = OS.get_ticks_msec()
	if udp.get_available_packet_count() > 0:
		print("Connected: %s" % udp.get_packet().get_string_from_utf8())
		leave(0)
	elif now - began > ANSWER_WITHIN_MS:
		printerr("No answer within %d ms." % ANSWER_WITHIN_MS)
		leave(1)
	elif now - said >= AGAIN_AFTER_MS:
		said = now
		udp.put_packet(message.to_utf8())

func leave(code):
	finished = true
	udp.close()
	quit(code)
