import { normalizeAddress } from "../../../net/endpoint.ts";
import { messageOf } from "../../../net/message-of.ts";
import { traceOf } from "../../../net/trace.ts";
import type { TurnServer } from "../../../turn/open.ts";
import { MAX_WEBRTC_REQUEST_BYTES, WEBRTC_PROTOCOL, WEBRTC_PROTOCOL_NAME } from "../../wire/webrtc-request.ts";
import { introducedPlayer } from "../entrances/introduced.ts";
import type { Asked, Issued, SeatEndpoint } from "../entrances/seat-endpoint.ts";
import { DialedNames } from "./dialed-name.ts";
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
  readonly #names: DialedNames;
  #unavailable: string | undefined;

  constructor(
    wanted: WebRTCSwitch,
    options: Omit<WebRTCHostOptions, keyof WebRTCOptions>,
    parts: Partial<WebRTCParts> = {},
    names: DialedNames = new DialedNames(),
  ) {
    this.#names = names;
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

  useTurnServers(servers: readonly TurnServer[]): void {
    this.#host?.useTurnServers(servers);
  }

  async issue(request: ParsedWebRTCRequest, asked: Asked): Promise<Issued> {
    if (this.#unavailable !== undefined || !this.#host) {
      return { protocol: WEBRTC_PROTOCOL, unavailable: this.#unavailable ?? "" };
    }
    // An introduced player's request comes by way of ourselves: nobody is to be found there.
    if (introducedPlayer(asked.http) !== undefined) return this.#host.accept(request, asked, { asker: "", asked: [] });
    const { remoteAddress = "", localAddress = "" } = asked.http.socket;
    const { dialed, dialedName } = request;
    const named = dialedName === "" ? [] : await this.#names.addresses(dialedName, asked.context.ip ?? "");
    const reached = [normalizeAddress(localAddress), ...dialed.map(({ address }) => address), ...named];
    return this.#host.accept(request, asked, { asker: normalizeAddress(remoteAddress), asked: reached });
  }

  async close(): Promise<void> {
    await this.#host?.close();
  }
}
