# Runs the steps of test/lab/godot/rows.ts, given as a JSON file in the last argument, through Godot 3; prints results as JSON.
extends SceneTree

const RENAMED = {"bind": "listen", "is_bound": "is_listening", "is_socket_connected": "is_connected_to_host"}
const CLASSES = ["UPNP", "UPNPDevice", "UDPServer", "PacketPeerUDP", "PacketPeer"]
var named = {}

func _init():
	var args = OS.get_cmdline_args()
	var file = File.new()
	file.open(args[args.size() - 1], File.READ)
	var rows = JSON.parse(file.get_as_text()).result
	var results = []
	for steps in rows:
		var row = []
		for step in steps:
			var result = run(step)
			if typeof(result) != TYPE_STRING or result != "nothing":
				row.append(result)
		results.append(row)
	print("RESULTS " + JSON.print(results))
	print("MEMBERS " + JSON.print(members()))
	quit()

func run(step):
	match step[0]:
		"new":
			named[step[1]] = ClassDB.instance(step[2])
			return "nothing"
		"call":
			return shown(invoke(step[1], step[2], step[3] if step.size() > 3 else []))
		"take":
			var taken = invoke(step[2], step[3], step[4] if step.size() > 4 else [])
			named[step[1]] = taken
			return shown(taken)
		"get":
			return shown(named[step[1]].get(step[2]))
		"set":
			named[step[1]].set(step[2], given(step[3]))
			return "nothing"
		"until":
			var wanted = given(step[3])
			var result
			for i in range(100):
				if step.size() > 4:
					named[step[4]].poll()
				result = invoke(step[1], step[2], [])
				if result == wanted:
					break
				OS.delay_msec(5)
			return shown(result)
		"enum":
			return enumeration(step[1])

func invoke(name, method, values):
	var args = []
	for value in values:
		args.append(given(value))
	var object = named[name]
	if not object.has_method(method) and RENAMED.has(method):
		method = RENAMED[method]
	return object.callv(method, args)

func given(value):
	match typeof(value):
		TYPE_REAL:
			return int(value)
		TYPE_STRING:
			return named[value.substr(1)] if value.begins_with("@") else value
		TYPE_ARRAY:
			var values = []
			for each in value:
				values.append(given(each))
			return values
		TYPE_DICTIONARY:
			if value.has("float"):
				return float(value["float"])
			var bytes = PoolByteArray()
			for i in range(0, value["bytes"].length(), 2):
				bytes.append(("0x" + value["bytes"].substr(i, 2)).hex_to_int())
			return bytes
	return value

func shown(value):
	match typeof(value):
		TYPE_NIL, TYPE_BOOL, TYPE_INT, TYPE_STRING:
			return value
		TYPE_OBJECT:
			return null if value == null else "object"
	return "bytes " + var2bytes(value).hex_encode()

func enumeration(name):
	var of_class = {"UPNPResult": "UPNP", "IGDStatus": "UPNPDevice"}
	if of_class.has(name):
		var prefix = {"UPNPResult": "UPNP_RESULT_", "IGDStatus": "IGD_STATUS_"}[name]
		var values = {}
		for constant in ClassDB.class_get_integer_constant_list(of_class[name], true):
			if constant.begins_with(prefix):
				values[constant.substr(prefix.length())] = ClassDB.class_get_integer_constant(of_class[name], constant)
		return values
	return {
		"OK": OK, "FAILED": FAILED, "UNAVAILABLE": ERR_UNAVAILABLE, "UNCONFIGURED": ERR_UNCONFIGURED,
		"UNAUTHORIZED": ERR_UNAUTHORIZED, "PARAMETER_RANGE_ERROR": ERR_PARAMETER_RANGE_ERROR,
		"OUT_OF_MEMORY": ERR_OUT_OF_MEMORY, "CANT_OPEN": ERR_CANT_OPEN, "CANT_CREATE": ERR_CANT_CREATE,
		"QUERY_FAILED": ERR_QUERY_FAILED, "ALREADY_IN_USE": ERR_ALREADY_IN_USE, "LOCKED": ERR_LOCKED,
		"TIMEOUT": ERR_TIMEOUT, "CANT_CONNECT": ERR_CANT_CONNECT, "CANT_RESOLVE": ERR_CANT_RESOLVE,
		"CONNECTION_ERROR": ERR_CONNECTION_ERROR, "CANT_ACQUIRE_RESOURCE": ERR_CANT_ACQUIRE_RESOURCE,
		"INVALID_DATA": ERR_INVALID_DATA, "INVALID_PARAMETER": ERR_INVALID_PARAMETER,
		"ALREADY_EXISTS": ERR_ALREADY_EXISTS, "DOES_NOT_EXIST": ERR_DOES_NOT_EXIST, "BUSY": ERR_BUSY,
	}

# What Godot's own class database lists: the table has to name all of it.
func members():
	var names = {}
	for each in CLASSES:
		var found = []
		for method in ClassDB.class_get_method_list(each, true):
			found.append(method["name"])
		for property in ClassDB.class_get_property_list(each, true):
			found.append(property["name"])
		for constant in ClassDB.class_get_integer_constant_list(each, true):
			found.append(constant)
		names[each] = found
	return names
