import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import type { SessionPathKind } from "../../session/path.ts";

interface Candidate {
  address: string;
  port: number;
  type: string;
}

interface Pair {
  local: Candidate;
  remote: Candidate;
}

/** What a page has not been told it is not told here either: Chromium writes `redacted-ip.invalid`, Firefox a name of mDNS (RFC 8828). */
const HIDDEN = /\.(?:invalid|local)$/;

/** The pair of candidates that ICE has selected (RFC 8445), as each browser tells of it. */
export class SelectedPath {
  readonly #connection: RTCPeerConnection;
  #pair: Pair | undefined;

  constructor(connection: RTCPeerConnection) {
    this.#connection = connection;
  }

  get remote(): Endpoint {
    const { address = "", port = 0 } = this.#pair?.remote ?? {};
    return { address: address === "" || HIDDEN.test(address) ? "unknown" : address, port };
  }

  get kind(): SessionPathKind {
    const { local, remote } = this.#pair ?? {};
    if (local?.type === "relay" || remote?.type === "relay") return "relayed";
    return remote?.type === "srflx" || remote?.type === "prflx" ? "punched" : "direct";
  }

  /** Called when the pair may be another. Browsers without this event are asked now and then. */
  onChange(listener: () => void): void {
    this.#iceTransport?.addEventListener("selectedcandidatepairchange", listener);
  }

  /** @returns whether the path is another than before, for people */
  async refresh(): Promise<boolean> {
    const before = this.#text();
    // getSelectedCandidatePair is not in Firefox; statistics, which are everywhere, cost more.
    const pair = this.#iceTransport?.getSelectedCandidatePair?.() ?? null;
    this.#pair = pair ? pairOf(pair) : pairIn(await this.#connection.getStats());
    return this.#text() !== before;
  }

  #text(): string {
    return `${this.kind} ${formatEndpoint(this.remote)}`;
  }

  get #iceTransport(): RTCIceTransport | undefined {
    return this.#connection.sctp?.transport.iceTransport;
  }
}

function pairOf({ local, remote }: RTCIceCandidatePair): Pair {
  return { local: candidateOf(local), remote: candidateOf(remote) };
}

function candidateOf({ address, port, type }: Pick<RTCIceCandidate, "address" | "port" | "type">): Candidate {
  // Chromium writes IPv6 in brackets here.
  return { address: (address ?? "").replace(/^\[|\]$/g, ""), port: port ?? 0, type: type ?? "" };
}

type PairStats = RTCIceCandidatePairStats & { selected?: boolean };
type CandidateStats = RTCStats & Pick<RTCIceCandidate, "address" | "port"> & { candidateType: RTCIceCandidateType };

/** The transport names the pair (webrtc-stats section 8.9); Firefox had a mark of its own for it before. */
function pairIn(report: RTCStatsReport): Pair | undefined {
  const all = [...(report as unknown as Map<string, RTCStats>).values()];
  const transport = all.find(({ type }) => type === "transport") as RTCTransportStats | undefined;
  const pairs = all.filter(({ type }) => type === "candidate-pair") as PairStats[];
  const selected =
    pairs.find(({ id }) => id === transport?.selectedCandidatePairId) ??
    pairs.find((pair) => pair.selected) ??
    pairs.find(({ nominated, state }) => nominated && state === "succeeded");
  const candidate = (id: string | undefined): Candidate | undefined => {
    const stats = all.find((each) => each.id === id) as CandidateStats | undefined;
    return stats && candidateOf({ address: stats.address, port: stats.port, type: stats.candidateType });
  };
  const local = candidate(selected?.localCandidateId);
  const remote = candidate(selected?.remoteCandidateId);
  return local && remote && { local, remote };
}
