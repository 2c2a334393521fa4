# Godot 3's ENet, as any game has it: gives every packet back to the player who sent it.
extends SceneTree

var peer = NetworkedMultiplayerENet.new()

func _initialize():
	var port = int(OS.get_cmdline_args()[-1])
	peer.connect("peer_connected", self, "_joined")
	peer.connect("peer_disconnected", self, "_left")
	var code = peer.create_server(port, 32)
	print("SERVER ", code)

func _joined(id):
	print("JOINED ", peer.get_peer_address(id), " ", peer.get_peer_port(id))

func _left(_id):
	print("LEFT")

func _idle(_delta):
	peer.poll()
	while peer.get_available_packet_count() > 0:
		var from = peer.get_packet_peer()
		var data = peer.get_packet()
		peer.set_target_peer(from)
		peer.put_packet(data)
	return false
