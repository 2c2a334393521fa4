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

/** A server on `port` and a peer that is connected to it. */
export const serverAndPeer = (server: string, peer: string, port: number): Step[] => [
  ["new", server, "UDPServer"],
  ["call", server, "listen", [port, "127.0.0.1"]],
  ["new", peer, "PacketPeerUDP"],
  ["call", peer, "connect_to_host", ["127.0.0.1", port]],
];
/** One byte. */
export const X: Value = { bytes: "78" };

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
