# Godot's own UDPServer: echoes packets until one of them says "quit".
extends SceneTree

var server = UDPServer.new()
var peers = []

func _init():
	if server.listen(int(OS.get_environment("PORT")), "127.0.0.1") != OK:
		quit(1)

func _idle(_delta):
	server.poll()
	while server.is_connection_available():
		peers.append(server.take_connection())
	for peer in peers:
		while peer.get_available_packet_count() > 0:
			var packet = peer.get_packet()
			peer.put_packet(packet)
			if packet.get_string_from_utf8() == "quit":
				quit(0)
