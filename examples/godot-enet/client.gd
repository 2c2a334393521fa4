# A player of server.gd: sends packets, long ones too, reliable and not, and says what came back.
# Arguments: address, port, seconds.
extends SceneTree

const SIZES = [10, 1000, 1380, 5000, 40000]

var peer = NetworkedMultiplayerENet.new()
var sent = 0
var received = 0
var largest = 0
var pause = 0.0
var until = 0

func _initialize():
	var arguments = OS.get_cmdline_args()
	until = OS.get_ticks_msec() + int(arguments[-1]) * 1000
	peer.connect("connection_succeeded", self, "_connected")
	peer.connect("connection_failed", self, "_failed")
	peer.connect("server_disconnected", self, "_failed")
	peer.create_client(arguments[-3], int(arguments[-2]))

func _connected():
	print("CONNECTED")

func _failed():
	print("FAILED")
	quit()

func _idle(delta):
	peer.poll()
	if peer.get_connection_status() != NetworkedMultiplayerPeer.CONNECTION_CONNECTED:
		return false
	while peer.get_available_packet_count() > 0:
		var data = peer.get_packet()
		received += 1
		largest = max(largest, data.size())
	if OS.get_ticks_msec() > until:
		print("DONE ", sent, " ", received, " ", largest)
		peer.close_connection()
		return true
	pause -= delta
	if pause <= 0 and OS.get_ticks_msec() < until - 1500:
		pause = 0.05
		var data = PoolByteArray()
		data.resize(SIZES[sent % SIZES.size()])
		peer.set_transfer_mode(NetworkedMultiplayerPeer.TRANSFER_MODE_RELIABLE)
		peer.set_target_peer(1)
		peer.put_packet(data)
		sent += 1
	return false
