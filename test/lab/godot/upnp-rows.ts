/** Godot's UPNP and UPNPDevice. */
import { camelCase, type Row, type Section, type Step, type Value } from "./rows.ts";

/** A property with its accessors, of which Godot's documentation names all three. */
function property(name: string, getter: string, values: readonly Value[], type = "of"): Row {
  const setter = `set_${name}`;
  const on = `${type}_${name}`;
  return {
    godot: `${name}, ${setter}(), ${getter}()`,
    ours: [name, setter, getter].map(camelCase).join(", "),
    steps: [
      ["new", on, type === "device" ? "UPNPDevice" : "UPNP"],
      ["get", on, name],
      ...values.flatMap((value): Step[] => [
        ["set", on, name, value],
        ["call", on, getter],
        ["call", on, setter, [value]],
        ["get", on, name],
      ]),
    ],
  };
}

export const UPNP: Section = {
  type: "UPNP",
  godotClass: "UPNP",
  rows: [
    property("discover_ipv6", "is_discover_ipv6", [true]),
    property("discover_local_port", "get_discover_local_port", [1, 4000]),
    property("discover_multicast_if", "get_discover_multicast_if", ["eth0"]),
    {
      godot: 'discover(timeout = 2000, ttl = 2, device_filter = "InternetGatewayDevice")',
      ours: "discover",
      different:
        "a promise, which ends as soon as a gateway has answered; Godot waits for `timeout`. At most 64 devices are kept",
      sameAnswers: true,
      steps: [
        ["new", "upnp", "UPNP"],
        ["call", "upnp", "query_external_address"],
        ["call", "upnp", "add_port_mapping", [7777]],
        ["call", "upnp", "delete_port_mapping", [7777]],
        ["call", "upnp", "discover", [-1]],
        ["call", "upnp", "discover", [1000, 300]],
        ["call", "upnp", "discover", [200, 2, "nothing of this name"]],
        ["call", "upnp", "discover", [700, 2, "InternetGatewayDevice"]],
      ],
    },
    {
      godot: "get_gateway()",
      ours: "getGateway",
      steps: [
        ["new", "empty", "UPNP"],
        ["take", "none", "empty", "get_gateway"],
        ["take", "gateway", "upnp", "get_gateway"],
      ],
    },
    {
      godot: "query_external_address()",
      ours: "queryExternalAddress",
      note: "a promise",
      steps: [["call", "upnp", "query_external_address"]],
    },
    {
      godot: 'add_port_mapping(port, port_internal = 0, desc = "", proto = "UDP", duration = 0)',
      ours: "addPortMapping",
      note:
        "a promise. It overwrites, as Godot documents it and Godot 3.0 to 3.5 do it, by deleting first; Godot 3.6 and 4 leave it to the router. " +
        "Ours deletes nothing for parameters that cannot be mapped, and without `desc` the mapping is called Sallyport",
      steps: [
        ["call", "upnp", "add_port_mapping", [7000]],
        ["call", "upnp", "add_port_mapping", [7000, 7001, "another port inside", "UDP", 0]],
        ["call", "upnp", "add_port_mapping", [7000, 0, "TCP", "TCP", 600]],
        // Belongs to another machine of the network.
        ["call", "upnp", "add_port_mapping", [6000, 0, "overwritten", "UDP", 0]],
        ["call", "upnp", "add_port_mapping", [0]],
        ["call", "upnp", "add_port_mapping", [65536]],
        ["call", "upnp", "add_port_mapping", [7000, -1]],
        ["call", "upnp", "add_port_mapping", [7000, 0, "", "udp"]],
        ["call", "upnp", "add_port_mapping", [7000, 0, "", "UDP", -1]],
      ],
    },
    {
      godot: 'delete_port_mapping(port, proto = "UDP")',
      ours: "deletePortMapping",
      note: "a promise; the router's own word, and many say yes to everything",
      steps: [
        ["call", "upnp", "delete_port_mapping", [7000, "UDP"]],
        ["call", "upnp", "delete_port_mapping", [7000, "TCP"]],
        ["call", "upnp", "delete_port_mapping", [7000, "TCP"]],
        ["call", "upnp", "delete_port_mapping", [6000]],
        ["call", "upnp", "delete_port_mapping", [0]],
        ["call", "upnp", "delete_port_mapping", [7000, "udp"]],
      ],
    },
    {
      godot: "get_device_count(), get_device(index)",
      ours: "getDeviceCount, getDevice",
      note: "null for an index out of range; Godot prints an error too",
      steps: [
        ["new", "list", "UPNP"],
        ["call", "list", "get_device_count"],
        ["take", "none", "list", "get_device", [0]],
      ],
    },
    {
      godot: "add_device(device), set_device(index, device), remove_device(index), clear_devices()",
      ours: "addDevice, setDevice, removeDevice, clearDevices",
      steps: [
        ["new", "one", "UPNPDevice"],
        ["set", "one", "igd_status", 0],
        ["call", "list", "add_device", ["@one"]],
        ["call", "list", "get_device_count"],
        ["take", "found", "list", "get_gateway"],
        ["new", "two", "UPNPDevice"],
        ["call", "list", "set_device", [0, "@two"]],
        ["take", "none", "list", "get_gateway"],
        ["call", "list", "set_device", [7, "@one"]],
        ["call", "list", "remove_device", [7]],
        ["call", "list", "get_device_count"],
        ["call", "list", "add_device", ["@one"]],
        ["call", "list", "remove_device", [0]],
        ["take", "found", "list", "get_device", [0]],
        ["call", "list", "clear_devices"],
        ["call", "list", "get_device_count"],
      ],
    },
    {
      godot: "enum UPNPResult: UPNP.UPNP_RESULT_SUCCESS (0) … UPNP_RESULT_UNKNOWN_ERROR (28)",
      ours: "UPNPResult.SUCCESS … UPNPResult.UNKNOWN_ERROR, also as UPNP.UPNPResult",
      different: "the same 29 names and numbers, without the prefix that the name of the enumeration makes needless",
      sameAnswers: true,
      steps: [["enum", "UPNPResult"]],
    },
  ],
};

export const UPNP_DEVICE: Section = {
  type: "UPNPDevice",
  godotClass: "UPNPDevice",
  rows: [
    property("description_url", "get_description_url", ["http://192.168.1.1/"], "device"),
    property("service_type", "get_service_type", ["urn:x"], "device"),
    property("igd_control_url", "get_igd_control_url", ["http://192.168.1.1/"], "device"),
    property("igd_service_type", "get_igd_service_type", ["urn:x"], "device"),
    property("igd_our_addr", "get_igd_our_addr", ["192.168.1.2"], "device"),
    property("igd_status", "get_igd_status", [0, 5], "device"),
    {
      godot: "is_valid_gateway()",
      ours: "isValidGateway",
      steps: [
        ["new", "device", "UPNPDevice"],
        ["call", "device", "is_valid_gateway"],
        ["set", "device", "igd_status", 0],
        ["call", "device", "is_valid_gateway"],
        ["call", "gateway", "is_valid_gateway"],
        ["get", "gateway", "igd_our_addr"],
        ["get", "gateway", "igd_control_url"],
        ["get", "gateway", "igd_service_type"],
      ],
    },
    {
      godot: "query_external_address()",
      ours: "queryExternalAddress",
      note: "a promise",
      steps: [
        ["new", "invalid", "UPNPDevice"],
        ["call", "invalid", "query_external_address"],
        ["call", "gateway", "query_external_address"],
      ],
    },
    {
      godot: 'add_port_mapping(port, port_internal = 0, desc = "", proto = "UDP", duration = 0)',
      ours: "addPortMapping",
      note: "a promise; it deletes nothing, so a port that another machine has is refused",
      steps: [
        ["call", "invalid", "add_port_mapping", [7000]],
        ["call", "gateway", "add_port_mapping", [7000]],
        ["call", "gateway", "add_port_mapping", [7000]],
        ["call", "gateway", "add_port_mapping", [6001]],
        ["call", "gateway", "add_port_mapping", [0]],
        ["call", "gateway", "add_port_mapping", [7000, 65536]],
        ["call", "gateway", "add_port_mapping", [7000, 0, "", "SCTP"]],
        ["call", "gateway", "add_port_mapping", [7000, 0, "", "UDP", -1]],
      ],
    },
    {
      godot: 'delete_port_mapping(port, proto = "UDP")',
      ours: "deletePortMapping",
      note: "a promise",
      steps: [
        ["call", "gateway", "delete_port_mapping", [7000]],
        ["call", "gateway", "delete_port_mapping", [7000]],
        ["call", "gateway", "delete_port_mapping", [70000]],
        ["call", "gateway", "delete_port_mapping", [7000, ""]],
      ],
    },
    {
      godot: "enum IGDStatus: UPNPDevice.IGD_STATUS_OK (0) … IGD_STATUS_UNKNOWN_ERROR (9)",
      ours: "IGDStatus.OK … IGDStatus.UNKNOWN_ERROR, also as UPNPDevice.IGDStatus",
      different: "the same ten names and numbers, without the prefix",
      sameAnswers: true,
      steps: [["enum", "IGDStatus"]],
    },
  ],
};
