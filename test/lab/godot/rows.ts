/**
 * Godot's classes, member by member, and ours: what docs/from-godot.md lists, and what is run through both.
 * Steps name Godot 4's members; Godot 3 and ours have other spellings of the same.
 */

/** `@name` is an object of an earlier step; `{ bytes }` a byte array in hex; `{ float }` a float whatever its value. */
export type Value = null | boolean | number | string | { bytes: string } | { float: number } | readonly Value[];

export type Step =
  | readonly ["new", name: string, type: "UPNP" | "UPNPDevice" | "UDPServer" | "PacketPeerUDP"]
  | readonly ["call", name: string, method: string, args?: readonly Value[]]
  /** A call whose result, an object or null, gets a name. */
  | readonly ["take", as: string, name: string, method: string, args?: readonly Value[]]
  | readonly ["get", name: string, property: string]
  | readonly ["set", name: string, property: string, value: Value]
  /** Polls the server named last, where there is one, and calls until the result is `value`, for half a second at most. */
  | readonly ["until", name: string, method: string, value: Value, server?: string]
  | readonly ["enum", name: "UPNPResult" | "IGDStatus" | "Error"];

export interface Row {
  /** Godot 4's name, with parameters and defaults as a reader looks for them. */
  readonly godot: string;
  readonly ours: string;
  /** Of Godot 3, where it is another. */
  readonly godot3?: string;
  /** Why ours is different on purpose. */
  readonly different?: string;
  /** What is to be known of a member that is the same. */
  readonly note?: string;
  readonly steps?: readonly Step[];
  /** The steps show no difference: it is in what answers do not show. */
  readonly sameAnswers?: true;
}

export interface Section {
  readonly type: string;
  /** Godot's class that has these members. */
  readonly godotClass: string;
  readonly rows: readonly Row[];
}

/** Godot 3's names of members that Godot 4 has renamed. */
export const GODOT_3_NAMES: Readonly<Record<string, string>> = {
  bind: "listen",
  is_bound: "is_listening",
  is_socket_connected: "is_connected_to_host",
};

export const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

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

const UPNP: Section = {
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

const UPNP_DEVICE: Section = {
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

/** A server on `port` and a peer that is connected to it. */
const serverAndPeer = (server: string, peer: string, port: number): Step[] => [
  ["new", server, "UDPServer"],
  ["call", server, "listen", [port, "127.0.0.1"]],
  ["new", peer, "PacketPeerUDP"],
  ["call", peer, "connect_to_host", ["127.0.0.1", port]],
];
const X: Value = { bytes: "78" };

const UDP_SERVER: Section = {
  type: "UDPServer",
  godotClass: "UDPServer",
  rows: [
    {
      godot: 'listen(port, bind_address = "*")',
      ours: "listen",
      different:
        "a port that another program holds is UNAVAILABLE; Godot shares it by SO_REUSEADDR, and one of the two hears nothing",
      steps: [
        ["new", "s1", "UDPServer"],
        ["call", "s1", "listen", [21000, "nowhere"]],
        ["call", "s1", "listen", [21000, "127.0.0.1"]],
        ["call", "s1", "listen", [21000]],
        ["new", "s2", "UDPServer"],
        ["call", "s2", "listen", [21000, "127.0.0.1"]],
        ["call", "s1", "stop"],
        ["call", "s2", "stop"],
        ["call", "s1", "listen", [21001]],
        ["call", "s1", "stop"],
      ],
    },
    {
      godot: "is_listening()",
      ours: "isListening",
      steps: [
        ["call", "s1", "is_listening"],
        ["call", "s1", "listen", [21002]],
        ["call", "s1", "is_listening"],
        ["call", "s1", "stop"],
        ["call", "s1", "is_listening"],
      ],
    },
    { godot: "get_local_port()", ours: "getLocalPort", note: "Godot 4 alone; 0 when it does not listen" },
    {
      godot: "poll()",
      ours: "poll",
      different:
        "packets arrive without it, between two turns of the event loop; it drops peers that nobody took in time, and tells whether the server listens",
      steps: [
        ["new", "s3", "UDPServer"],
        ["call", "s3", "poll"],
        ...serverAndPeer("s3", "p3", 21003),
        ["call", "p3", "put_packet", [X]],
        ["until", "s3", "is_connection_available", true],
        ["call", "s3", "stop"],
      ],
    },
    {
      godot: "is_connection_available()",
      ours: "isConnectionAvailable",
      steps: [
        ...serverAndPeer("s4", "p4", 21004),
        ["call", "s4", "is_connection_available"],
        ["call", "p4", "put_packet", [X]],
        ["until", "s4", "is_connection_available", true, "s4"],
      ],
    },
    {
      godot: "take_connection()",
      ours: "takeConnection",
      steps: [
        ["take", "a4", "s4", "take_connection"],
        ["take", "none", "s4", "take_connection"],
        ["call", "s4", "is_connection_available"],
        ["call", "a4", "get_available_packet_count"],
        ["call", "a4", "get_packet"],
        ["call", "a4", "get_packet_ip"],
        ["call", "a4", "is_socket_connected"],
        ["call", "p4", "put_packet", [X]],
        ["until", "a4", "get_available_packet_count", 1, "s4"],
        ["call", "s4", "is_connection_available"],
      ],
    },
    {
      godot: "stop()",
      ours: "stop",
      note: "closes the peers that were taken, without telling the other ends",
      steps: [
        ["call", "s4", "stop"],
        ["call", "s4", "stop"],
        ["call", "a4", "is_bound"],
        ["call", "a4", "is_socket_connected"],
        ["call", "a4", "get_available_packet_count"],
        ["call", "s4", "poll"],
        ["take", "none", "s4", "take_connection"],
      ],
    },
    {
      godot: "max_pending_connections, set_max_pending_connections(), get_max_pending_connections()",
      ours: "maxPendingConnections, setMaxPendingConnections, getMaxPendingConnections",
      different:
        "raising it keeps the peers that wait, and lowering it drops the newest; Godot's deletes the wrong ones. A negative number is ignored by both",
      steps: [
        ...serverAndPeer("s5", "p5", 21005),
        ["get", "s5", "max_pending_connections"],
        ["call", "p5", "put_packet", [X]],
        ["until", "s5", "is_connection_available", true, "s5"],
        ["set", "s5", "max_pending_connections", 100],
        ["call", "s5", "get_max_pending_connections"],
        ["call", "s5", "set_max_pending_connections", [-1]],
        ["get", "s5", "max_pending_connections"],
        ["take", "a5", "s5", "take_connection"],
        ["call", "s5", "stop"],
      ],
    },
    {
      godot: "peers that wait for ever, as many as there are addresses",
      ours: "pendingTimeoutMs, maxPeers, recvBufSize, variantFormat, now",
      different:
        "options of the constructor: a peer that nobody took is dropped after 30 s, and there are 4096 peers at most, since anybody can forge a sender's address",
    },
  ],
};

const PACKET_PEER_UDP: Section = {
  type: "PacketPeerUDP",
  godotClass: "PacketPeerUDP",
  rows: [
    {
      godot: 'bind(port, bind_address = "*", recv_buf_size = 65536)',
      godot3: "listen",
      ours: "bind",
      note: "Godot 4's name, and Godot 4's INVALID_PARAMETER for a port out of range, which Godot 3 takes",
      steps: [
        ["new", "b1", "PacketPeerUDP"],
        ["call", "b1", "bind", [21100, "nowhere"]],
        ["call", "b1", "bind", [21100, "127.0.0.1"]],
        ["call", "b1", "bind", [21101]],
        ["call", "b1", "close"],
      ],
    },
    {
      godot: "is_bound()",
      godot3: "is_listening",
      ours: "isBound",
      note: "Godot 4's name",
      steps: [
        ["call", "b1", "is_bound"],
        ["call", "b1", "bind", [21102]],
        ["call", "b1", "is_bound"],
        ["call", "b1", "close"],
        ["call", "b1", "is_bound"],
      ],
    },
    {
      godot: "connect_to_host(host, port)",
      ours: "connectToHost",
      different:
        "addresses and `localhost` alone, since no name can be resolved inside a call; senders are filtered here and not in the system; the queue is emptied with its count, where Godot goes on counting what it has dropped",
      steps: [
        ["new", "c1", "PacketPeerUDP"],
        ["call", "c1", "bind", [21110, "127.0.0.1"]],
        ["new", "c2", "PacketPeerUDP"],
        ["call", "c2", "set_dest_address", ["127.0.0.1", 21110]],
        ["call", "c2", "put_packet", [X]],
        ["until", "c1", "get_available_packet_count", 1],
        ["call", "c1", "connect_to_host", ["127.0.0.1", 21119]],
        ["call", "c1", "get_available_packet_count"],
        ["call", "c1", "close"],
        ["call", "c2", "close"],
        ...serverAndPeer("s6", "p6", 21111),
        ["call", "p6", "put_packet", [X]],
        ["until", "s6", "is_connection_available", true, "s6"],
        ["take", "a6", "s6", "take_connection"],
        ["call", "a6", "connect_to_host", ["127.0.0.1", 21119]],
        ["call", "s6", "stop"],
      ],
    },
    {
      godot: "is_socket_connected()",
      godot3: "is_connected_to_host",
      ours: "isSocketConnected",
      note: "Godot 4's name",
      steps: [
        ["new", "c3", "PacketPeerUDP"],
        ["call", "c3", "is_socket_connected"],
        ["call", "c3", "connect_to_host", ["127.0.0.1", 21112]],
        ["call", "c3", "is_socket_connected"],
        ["call", "c3", "close"],
        ["call", "c3", "is_socket_connected"],
      ],
    },
    {
      godot: "set_dest_address(host, port)",
      ours: "setDestAddress",
      different:
        "LOCKED on a connected peer and INVALID_PARAMETER for port 0, where Godot answers OK and changes nothing or fails later; names by `resolveDestAddress`, a promise",
      steps: [
        ["new", "d1", "PacketPeerUDP"],
        ["call", "d1", "set_dest_address", ["127.0.0.1", 21113]],
        ["call", "d1", "set_dest_address", ["localhost", 21113]],
        ["call", "d1", "connect_to_host", ["127.0.0.1", 21113]],
        ["call", "d1", "set_dest_address", ["127.0.0.1", 21114]],
        ["call", "d1", "close"],
      ],
    },
    {
      godot: "put_packet(buffer)",
      ours: "putPacket",
      note: "an empty buffer is OK and sends nothing",
      steps: [
        ["new", "e1", "PacketPeerUDP"],
        ["call", "e1", "put_packet", [X]],
        ["call", "e1", "set_dest_address", ["127.0.0.1", 21115]],
        ["call", "e1", "put_packet", [{ bytes: "" }]],
        ["call", "e1", "is_bound"],
        ["call", "e1", "put_packet", [X]],
        ["call", "e1", "is_bound"],
        ["call", "e1", "close"],
      ],
    },
    {
      godot: "get_packet()",
      ours: "getPacket",
      steps: [
        ["new", "g1", "PacketPeerUDP"],
        ["call", "g1", "get_packet"],
        ["call", "g1", "bind", [21116, "127.0.0.1"]],
        ["call", "g1", "get_packet"],
        ["new", "g2", "PacketPeerUDP"],
        ["call", "g2", "bind", [21117, "127.0.0.1"]],
        ["call", "g2", "set_dest_address", ["127.0.0.1", 21116]],
        ["call", "g2", "put_packet", [{ bytes: "0102ff" }]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
      ],
    },
    {
      godot: "get_packet_ip(), get_packet_port()",
      ours: "getPacketIp, getPacketPort",
      steps: [
        ["call", "g1", "get_packet_ip"],
        ["call", "g1", "get_packet_port"],
      ],
    },
    {
      godot: "get_packet_error()",
      ours: "getPacketError",
      different: "of `getVar` too, with INVALID_DATA for what is no Variant; Godot's tells of `get_packet` alone",
      steps: [
        ["call", "g1", "get_packet"],
        ["call", "g1", "get_packet_error"],
        ["call", "g2", "put_packet", [X]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
        ["call", "g1", "get_packet_error"],
        ["call", "g2", "put_packet", [X]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_var"],
        ["call", "g1", "get_packet_error"],
      ],
    },
    {
      godot: "get_available_packet_count()",
      ours: "getAvailablePacketCount",
      note: "-1 when closed",
      steps: [
        ["call", "g1", "get_available_packet_count"],
        ["new", "g3", "PacketPeerUDP"],
        ["call", "g3", "get_available_packet_count"],
      ],
    },
    {
      godot: "put_var(var, full_objects = false)",
      ours: "putVar(value)",
      different:
        "objects are never sent. A whole `number` is an `int`, as in GDScript's source; `new GodotFloat(5)` is a `float`. `variantFormat: 3` speaks to Godot 3",
      sameAnswers: true,
      steps: [
        ["call", "g2", "put_var", [5]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
        ["call", "g2", "put_var", [{ float: 5 }]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
        ["call", "g2", "put_var", [{ float: 0.1 }]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
        ["call", "g2", "put_var", [["a", null, true, [{ float: -0.5 }]]]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_packet"],
      ],
    },
    {
      godot: "get_var(allow_objects = false)",
      ours: "getVar({ keepFloats = false })",
      different:
        "objects are never read, since a peer must not choose what is made here. JavaScript has one kind of number: `{ keepFloats: true }` reads floats as `GodotFloat`, so that they are sent back as floats",
      sameAnswers: true,
      steps: [
        ["call", "g2", "put_var", [{ float: 5 }]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_var"],
        ["call", "g2", "put_var", [[5, { float: 5 }, "ä"]]],
        ["until", "g1", "get_available_packet_count", 1],
        ["call", "g1", "get_var"],
        ["call", "g1", "get_var"],
      ],
    },
    {
      godot: "encode_buffer_max_size, set_encode_buffer_max_size(), get_encode_buffer_max_size()",
      ours: "encodeBufferMaxSize, setEncodeBufferMaxSize, getEncodeBufferMaxSize",
      steps: [
        ["get", "g2", "encode_buffer_max_size"],
        ["call", "g2", "set_encode_buffer_max_size", [1023]],
        ["set", "g2", "encode_buffer_max_size", 1025],
        ["call", "g2", "get_encode_buffer_max_size"],
        ["call", "g2", "put_var", ["x".repeat(2041)]],
      ],
    },
    {
      godot: "wait()",
      ours: "wait",
      note: "a promise: OK when a packet waits, FAILED when the peer is closed meanwhile",
      steps: [
        ["call", "g2", "put_packet", [X]],
        ["call", "g1", "wait"],
        ["call", "g1", "get_available_packet_count"],
      ],
    },
    {
      godot: "close()",
      ours: "close",
      different: "forgets the destination: `putPacket` is UNCONFIGURED afterwards, where Godot opens another socket",
      steps: [
        ["call", "g2", "close"],
        ["call", "g2", "is_bound"],
        ["call", "g2", "get_available_packet_count"],
        ["call", "g2", "put_packet", [X]],
        ["call", "g2", "close"],
        ["call", "g1", "close"],
      ],
    },
    { godot: "get_local_port()", ours: "getLocalPort", note: "Godot 4 alone; 0 when closed" },
    {
      godot: "set_broadcast_enabled(enabled)",
      ours: "setBroadcastEnabled",
      different: "answers an Error (LOCKED on a peer that a server accepted), where Godot answers nothing",
      steps: [
        ["new", "m1", "PacketPeerUDP"],
        ["call", "m1", "set_broadcast_enabled", [true]],
      ],
    },
    {
      godot: "join_multicast_group(multicast_address, interface_name)",
      ours: "joinMulticastGroup",
      steps: [
        ["new", "m2", "PacketPeerUDP"],
        ["call", "m2", "join_multicast_group", ["no address", "eth0"]],
        ["call", "m2", "join_multicast_group", ["239.1.2.3", "eth0"]],
        ["call", "m2", "is_bound"],
      ],
    },
    {
      godot: "leave_multicast_group(multicast_address, interface_name)",
      ours: "leaveMulticastGroup",
      steps: [
        ["call", "m2", "leave_multicast_group", ["239.1.2.3", "eth0"]],
        ["call", "m2", "close"],
        ["call", "m2", "leave_multicast_group", ["239.1.2.3", "eth0"]],
      ],
    },
    {
      godot: "allow_object_decoding, set_allow_object_decoding(), is_object_decoding_allowed()",
      ours: "none",
      different: "Godot 3 alone, deprecated there: objects are never read",
    },
    {
      godot: "enum Error: OK (0), FAILED (1), ERR_UNAVAILABLE (2) …",
      ours: "GodotError.OK, GodotError.FAILED, GodotError.UNAVAILABLE …",
      different: "those that these classes can answer, with Godot's numbers, without the prefix `ERR_`",
      sameAnswers: true,
      steps: [["enum", "Error"]],
    },
  ],
};

export const SECTIONS: readonly Section[] = [UPNP, UPNP_DEVICE, UDP_SERVER, PACKET_PEER_UDP];

/** A section as docs/from-godot.md has it. */
export function table({ rows }: Section): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const code = (text: string): string => (text === "none" ? "none" : `\`${cell(text)}\``);
  const lines = rows.map(({ godot, godot3, ours, different, note }) => {
    const old = godot3 === undefined ? "" : `, in Godot 3 \`${godot3}\``;
    const said =
      different === undefined ? `same${note === undefined ? "" : `: ${note}`}` : `different on purpose: ${different}`;
    return `| ${code(godot)}${old} | ${code(ours)} | ${cell(said)} |`;
  });
  return ["| Godot | Sallyport | |", "|---|---|---|", ...lines].join("\n");
}
