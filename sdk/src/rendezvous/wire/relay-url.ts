/**
 * Where a relay is: `wss://nos.lol` is a Nostr relay, `mqtts://broker.example:8883` and `wss://broker.example:8884/mqtt` are MQTT
 * brokers. `ws://` and `mqtt://`, without TLS, are for relays of one's own.
 */
import { RendezvousError } from "./errors.ts";

export type RelayKind = "nostr" | "mqtt";

export interface RelayUrl {
  kind: RelayKind;
  /** In its normal form, by which both sides compute topics. A user and password for an MQTT broker stay in it. */
  url: string;
  /** Whether it is spoken to over a bare TCP stream, which a page cannot. */
  isStream: boolean;
}

const MAX_URL_LENGTH = 200;
/** In SALLYPORT_RELAYS. */
const MAX_RELAYS = 64;

/** Undefined for whatever is none. */
export function parseRelayUrl(text: string): RelayUrl | undefined {
  if (text.length > MAX_URL_LENGTH || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.hostname === "" || url.hash !== "" || url.port === "0") return undefined;
  const normal = url.href.replace(/\/+$/, "");
  switch (url.protocol) {
    case "ws:":
    case "wss:": {
      const kind = /\/mqtt\/*$/.test(url.pathname) ? "mqtt" : "nostr";
      return { kind, url: normal, isStream: false };
    }
    case "mqtt:":
    case "mqtts:":
      return url.search === "" ? { kind: "mqtt", url: normal, isStream: true } : undefined;
    default:
      return undefined;
  }
}

/** URLs with commas between them. @throws RendezvousError `invalid` */
export function parseRelayList(text: string): string[] {
  const named = text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  return checkRelays(named);
}

/** Each once, in its normal form. @throws RendezvousError `invalid` */
export function checkRelays(relays: readonly string[]): string[] {
  if (relays.length === 0) throw new RendezvousError("invalid", "There must be at least one relay.");
  if (relays.length > MAX_RELAYS) throw new RendezvousError("invalid", `There may be at most ${MAX_RELAYS} relays.`);
  const urls = relays.map((text) => {
    const relay = parseRelayUrl(text);
    if (relay !== undefined) return relay.url;
    throw new RendezvousError(
      "invalid",
      `"${text.slice(0, 80)}" is no relay: one looks like wss://relay.example, wss://broker.example/mqtt or mqtts://broker.example.`,
    );
  });
  return [...new Set(urls)];
}
