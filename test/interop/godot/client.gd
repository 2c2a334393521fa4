# Sends each of some Variants, waits for the echo, and says on stdout whether it is the same. Again, should it be lost.
extends SceneTree

var udp = PacketPeerUDP.new()
var values = [null, true, 5, -5, 5000000000, 1.5, 0.1, "héllo", [1, "a", [2.5]], {"a": 1, "b": {"c": null}}, PoolByteArray([1, 2, 3])]
var at = 0
var tries = 0
var done = false

func _init():
	udp.connect_to_host("127.0.0.1", int(OS.get_environment("PORT")))

func _idle(_delta):
	if done:
		return
	if udp.get_available_packet_count() > 0:
		var echo = udp.get_var()
		if var2bytes(echo) != var2bytes(values[at]):
			return leave("sent %s, got %s" % [var2str(values[at]), var2str(echo)], 1)
		at += 1
		tries = 0
		if at == values.size():
			return leave("echoed %d" % at, 0)
	if tries % 60 == 0:
		udp.put_var(values[at])
	tries += 1
	if tries > 1200:
		leave("no echo of %s" % var2str(values[at]), 1)

func leave(text, code):
	print(text)
	done = true
	quit(code)
