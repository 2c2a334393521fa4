/**
 * Public relays and STUN servers that `public` uses where no others are named. Strangers run them, for everybody and without a promise:
 * `npm run relays:check` says which of them answer, and belongs to each release.
 *
 * None of them was tried when these lists were put together: the laboratory has no internet. Each is one that other programs ship.
 */

/** Nostr relays: those of trystero 0.25.4 (npm, 2026), of which one operator counts once. */
const NOSTR: readonly string[] = [
  "wss://basspistol.org",
  "wss://bucket.coracle.social",
  "wss://chorus.pjv.me",
  "wss://koru.bitcointxoko.org",
  "wss://nos.lol",
  "wss://nostr-01.uid.ovh",
  "wss://nostr-01.yakihonne.com",
  "wss://nostr.data.haus",
  "wss://nostr.islandarea.net",
  "wss://nostr.sathoarder.com",
  "wss://nostr.tegila.com.br",
  "wss://nostr.vulpem.com",
  "wss://purplerelay.com",
  "wss://relay.agorist.space",
  "wss://relay.artio.inf.unibe.ch",
  "wss://relay.mostr.pub",
  "wss://relay.mostro.network",
  "wss://relay.sigit.io",
  "wss://schnorr.me",
  "wss://strfry.shock.network",
];

/** MQTT brokers for tests and demonstrations: those of trystero's packages/mqtt (2026-09), over WebSocket, so that pages meet programs. */
const MQTT: readonly string[] = [
  "wss://broker.emqx.io:8084/mqtt",
  "wss://broker.hivemq.com:8884/mqtt",
  "wss://test.mosquitto.org:8081/mqtt",
];

/** The relays of `public` where none are named: Nostr relays and MQTT brokers that others run. */
export const DEFAULT_RELAYS: readonly string[] = [...NOSTR, ...MQTT];

/**
 * Those that trystero (core/src/peer.ts, 2026-09), PeerJS and others ship: three operators. They have one address each, so that they tell
 * nothing of filtering.
 */
export const DEFAULT_STUN_SERVERS: readonly string[] = [
  "stun:stun.cloudflare.com:3478",
  "stun:stun.l.google.com:19302",
  "stun:stun.nextcloud.com:3478",
];

const KNOWN: ReadonlySet<string> = new Set(DEFAULT_RELAYS);

export function isDefaultRelay(url: string): boolean {
  return KNOWN.has(url);
}
