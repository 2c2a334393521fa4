extends SceneTree

func _init():
	print("Godot ", Engine.get_version_info().major, " says hello to ", OS.get_cmdline_args()[-1])
	quit()
