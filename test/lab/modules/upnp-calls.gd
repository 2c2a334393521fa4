# Runs a list of calls, given as JSON in the last argument, through Godot 3's UPNP; prints their results as JSON.
extends SceneTree

func _init():
	var args = OS.get_cmdline_args()
	var calls = JSON.parse(args[args.size() - 1]).result
	var upnp = UPNP.new()
	var results = []
	var began = OS.get_ticks_msec()
	for each in calls:
		var name = each[0]
		var given = each[1]
		for i in range(given.size()):
			if typeof(given[i]) == TYPE_REAL:
				given[i] = int(given[i])
		results.append(upnp.callv(name, given))
	print("MS " + str(OS.get_ticks_msec() - began))
	print("RESULTS " + JSON.print(results))
	quit()
