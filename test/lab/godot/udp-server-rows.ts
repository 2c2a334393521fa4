/** Godot's UDPServer. */
import { type Section, serverAndPeer, X } from "./rows.ts";

export const UDP_SERVER: Section = {
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
