import { normalizeAddress } from "../../../net/endpoint.ts";
import { messageOf } from "../../../net/message-of.ts";
import { traceOf } from "../../../net/trace.ts";
import {
  MAX_WEBRTC_REQUEST_BYTES,
  WEBRTC_PROTOCOL,
  WEBRTC_PROTOCOL_NAME,
  type WebRTCReply,
} from "../../wire/webrtc-request.ts";
import { introducedPlayer } from "../entrances/introduced.ts";
import type { Asked, Issued, SeatEndpoint } from "../entrances/seat-endpoint.ts";
import { WebRTCHost, type WebRTCHostOptions, type WebRTCOptions, type WebRTCParts } from "./host.ts";
import { type ParsedWebRTCRequest, parseWebRTCRequest } from "./request.ts";

const trace = traceOf("colyseus");

/** `true`: needed; `auto`: where node-datachannel can be loaded; `false`: not at all. */
export type WebRTCSwitch = boolean | "auto" | WebRTCOptions;

/** `POST /sallyport/webrtc` (see wire/webrtc-request.ts), which also answers where there is no WebRTC, and says why. */
export class WebRTCEndpoint implements SeatEndpoint<ParsedWebRTCRequest> {
  readonly maxRequestBytes: number = MAX_WEBRTC_REQUEST_BYTES;
  readonly protocol: number = WEBRTC_PROTOCOL;
  readonly protocolName: string = WEBRTC_PROTOCOL_NAME;
  readonly parse: typeof parseWebRTCRequest = parseWebRTCRequest;
  readonly #host: WebRTCHost | undefined;
  readonly #isOptional: boolean;
  #unavailable: string | undefined;

  constructor(
    wanted: WebRTCSwitch,
    options: Omit<WebRTCHostOptions, keyof WebRTCOptions>,
    parts: Partial<WebRTCParts> = {},
  ) {
    this.#isOptional = wanted === "auto";
    if (wanted === false) this.#unavailable = "this server offers none (SallyportTransport's webrtc is off)";
    else this.#host = new WebRTCHost({ ...(typeof wanted === "object" ? wanted : {}), ...options }, parts);
  }

  /** The UDP port for browsers; undefined where there is none. */
  get port(): number | undefined {
    return this.#host?.port || undefined;
  }

  /** @throws Error that says what to install, or which port is taken; not for `auto` */
  async open(gamePort: number, address: string): Promise<void> {
    try {
      await this.#host?.open(gamePort, address);
    } catch (error) {
      if (!this.#isOptional) throw error;
      this.#unavailable = `this server offers none (${messageOf(error)})`;
      if (trace.on) trace.event("webrtc-unavailable", { reason: this.#unavailable });
    }
  }

  useStunServers(servers: readonly string[]): void {
    this.#host?.useStunServers(servers);
  }

  issue(request: ParsedWebRTCRequest, asked: Asked): Promise<Issued> | WebRTCReply {
    if (this.#unavailable !== undefined || !this.#host) {
      return { protocol: WEBRTC_PROTOCOL, unavailable: this.#unavailable ?? "" };
    }
    // An introduced player's request comes by way of ourselves: nobody is to be found there.
    if (introducedPlayer(asked.http) !== undefined) return this.#host.accept(request, asked, { asker: "", asked: "" });
    const { remoteAddress = "", localAddress = "" } = asked.http.socket;
    const way = { asker: normalizeAddress(remoteAddress), asked: normalizeAddress(localAddress) };
    return this.#host.accept(request, asked, way);
  }

  async close(): Promise<void> {
    await this.#host?.close();
  }
}
