import { nat64 } from "../../net/nat64.ts";
import { type ConnectSessionOptions, connectSession } from "../../session/connect.ts";
import type { Session } from "../../session/types.ts";
import type { TurnServer } from "../../turn/open.ts";
import { DEFAULT_STUN_SERVERS } from "../mailbox/relay-list.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { sendInviteTunnelMessage } from "../trickle.ts";
import { PUBLIC_LOBBY, parseInvite } from "../wire/invite.ts";
import { encodeInviteTunnelMessage, parseInviteTunnelMessage } from "../wire/invite-tunnel.ts";
import { isLocalLobby } from "../wire/local-lobby.ts";
import type { IntroduceOptions } from "./introduce.ts";
import { NODE_SOCKETS } from "./introduce-node.ts";
import { Introductions, unref } from "./introductions.ts";
import { InviteTunnelRequests } from "./invite-tunnel-requests.ts";
import { InvitedPath, type PathServers } from "./invited-path.ts";
import { needRelay } from "./need-relay.ts";
import type { OwnRelay, RelaysTaker } from "./own-relay.ts";

/** Everything is asked at once, and the slowest way is through a relay. */
const SESSION_TIMEOUT_MS = 20_000;
/** A path that was asked for along with the invite is kept so long for the first join, ms. */
const PREPARED_MS = 20_000;

export interface InviteTunnelOptions extends IntroduceOptions {
  /** Beside those that the lobby names. */
  turnServers?: readonly TurnServer[] | undefined;
  /** A TURN server carries everything between both homes, and no address of ours is told. Default false. */
  relayOnly?: boolean;
  /** The player's own, which may be its only way to the host. */
  ownRelay?: OwnRelay | undefined;
}

/** Carries an invited player's matchmaking and search for a path to the host, through an introduction. */
export class InviteTunnel {
  readonly #isLocal: boolean;
  readonly #relayOnly: boolean;
  readonly #ownRelay: OwnRelay | undefined;
  readonly #turnServers: readonly TurnServer[];
  readonly #introductions: Introductions;
  readonly #requests: InviteTunnelRequests;
  readonly #paths = new Map<number, InvitedPath>();
  #ids = 0;
  /** Through relays: the search that the first message asked for, until a session takes it. */
  #prepared: InvitedPath | undefined;
  /** As `fetch`, to the host: see {@link InviteTunnelRequests}. */
  readonly fetch: typeof globalThis.fetch;

  private constructor(
    invite: string,
    { turnServers = [], relayOnly = false, ownRelay, ...options }: InviteTunnelOptions,
  ) {
    this.#relayOnly = relayOnly;
    this.#ownRelay = ownRelay;
    this.#turnServers = turnServers;
    const lobby = parseInvite(invite)?.lobby ?? options.lobby;
    this.#isLocal = isLocalLobby(lobby);
    const opening = lobby === PUBLIC_LOBBY ? () => this.#openingMessages() : undefined;
    this.#introductions = new Introductions(invite, { ...options, opening }, NODE_SOCKETS);
    this.#introductions.onMessage = (bytes) => this.#receive(bytes);
    // A relayed path may still be made direct, by what both sides tell each other.
    this.#introductions.isNeeded = () => [...this.#paths.values()].some(({ path }) => path?.kind === "relayed");
    this.#requests = new InviteTunnelRequests(() => this.#introductions.get());
    this.fetch = this.#requests.fetch;
  }

  /** @throws RendezvousError as `introduce`, and `no-relay` */
  static async open(
    invite: string,
    options: InviteTunnelOptions,
  ): Promise<{ tunnel: InviteTunnel; endpoints: string[] }> {
    const tunnel = new InviteTunnel(invite, options);
    const isPublic = parseInvite(invite)?.lobby === PUBLIC_LOBBY;
    // Public relays name no TURN server: nobody needs to be asked first.
    if (options.relayOnly && isPublic) needRelay(tunnel.#turnServers.length);
    const preparing = tunnel.#prepare(invite, options);
    try {
      const introduction = await tunnel.#introductions.get();
      await preparing;
      if (options.relayOnly) {
        try {
          needRelay(tunnel.#serversOf(introduction).turn.length);
        } catch (error) {
          introduction.close("done");
          throw error;
        }
      }
      // It may have come too late for the first message.
      if (tunnel.#prepared?.isAsked === true) tunnel.#prepared.attach(introduction);
      return { tunnel, endpoints: introduction.details.endpoints };
    } catch (error) {
      void preparing.then(() => tunnel.#takePrepared()?.close());
      throw error;
    }
  }

  /** Relays take a while to connect to: meanwhile we learn what others see of us, so that the first message can ask for a path. */
  async #prepare(invite: string, { stunServers = DEFAULT_STUN_SERVERS }: IntroduceOptions): Promise<void> {
    if (parseInvite(invite)?.lobby !== PUBLIC_LOBBY) return;
    const path = await this.#newPath(false);
    path.learn({ stun: stunServers, turn: this.#turnServers });
    this.#prepared = path;
    unref(setTimeout(() => this.#takePrepared()?.close(), PREPARED_MS));
  }

  async #newPath(isAttested: boolean): Promise<InvitedPath> {
    const prefix = await nat64.prefix();
    const [isLocal, relayOnly] = [this.#isLocal, this.#relayOnly];
    return new InvitedPath(++this.#ids, this.#paths, { isLocal, isAttested, prefix, relayOnly });
  }

  #serversOf({ servers: { stun, turn } }: Introduction): PathServers {
    return { stun, turn: [...this.#turnServers, ...turn] };
  }

  #openingMessages(): Uint8Array[] {
    return this.#prepared === undefined ? [] : [encodeInviteTunnelMessage(this.#prepared.ask())];
  }

  #takePrepared(): InvitedPath | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared;
  }

  /** Finds a path by ICE (RFC 8445) and opens the session on it. */
  readonly connectSession = async (
    token: Uint8Array,
    {
      dialed: _,
      onRelaysTaker,
      signal: given,
      ...options
    }: ConnectSessionOptions & { onRelaysTaker?: (taker: RelaysTaker) => void },
  ): Promise<Session> => {
    const introduction = await this.#introductions.get();
    const prepared = this.#takePrepared();
    const path = prepared?.introduction === introduction ? prepared : await this.#newPath(introduction.attested);
    if (path !== prepared) {
      prepared?.close();
      path.learn(this.#serversOf(introduction));
      sendInviteTunnelMessage(introduction, path.ask());
      path.attach(introduction);
    }
    path.learnRelays(introduction.playerRelays);
    const offered = this.#bringOwnRelay(introduction, path);
    onRelaysTaker?.(path);
    try {
      const signal = given === undefined ? path.hopeless : AbortSignal.any([given, path.hopeless]);
      return await connectSession(token, { ...options, signal, path, timeoutMs: SESSION_TIMEOUT_MS });
    } catch (error) {
      path.close();
      throw path.hopeless.aborted ? path.hopeless.reason : error;
    } finally {
      offered();
    }
  };

  /**
   * Where the host lets nobody in, the player's own computer may: it is offered before there is a session. Once there is one, that
   * offers it again.
   * @returns what ends it
   */
  #bringOwnRelay(introduction: Introduction, path: InvitedPath): () => void {
    const own = this.#ownRelay;
    const { takesRelays } = introduction;
    if (own === undefined || takesRelays === undefined) return () => undefined;
    const user = {};
    const onOffer = (): void => {
      const { offer, ownAccess } = own;
      // A way that is there is good enough.
      if (offer === undefined || ownAccess === undefined || path.path !== null) return;
      sendInviteTunnelMessage(introduction, { type: "relay", id: path.id, ...offer });
      path.openOwnRelay(ownAccess);
    };
    own.use(user, takesRelays, onOffer);
    return () => void own.leave(user, onOffer);
  }

  /** Gives back what no session uses: the introduction under way, and a path that was asked for along with it. Sessions stay. */
  close(): void {
    this.#takePrepared()?.close();
    this.#introductions.close();
  }

  #receive(bytes: Uint8Array): void {
    const message = parseInviteTunnelMessage(bytes);
    if (message?.type === "response") this.#requests.receive(message);
    else if (message) this.#paths.get(message.id)?.receive(message, bytes.length);
  }
}
