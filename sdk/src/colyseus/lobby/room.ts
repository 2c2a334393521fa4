/** The lobby's side: one Colyseus room for each hosted game. Mount it with {@link defineRendezvous}. */
import {
  type AuthContext,
  type Client,
  CloseCode,
  defineRoom,
  logger,
  type Messages,
  matchMaker,
  type RegisteredHandler,
  Room,
  ServerError,
} from "@colyseus/core";
import { callerKey } from "../../net/caller-key.ts";
import { RateLimiter } from "../../net/token-bucket.ts";
import { ownsInvite, proofMatches, verifierOf } from "../../rendezvous/sealed/secret.ts";
import { RendezvousError } from "../../rendezvous/wire/errors.ts";
import { inviteUrl, parseInviteCode } from "../../rendezvous/wire/invite.ts";
import {
  CLOSE_ENDED,
  CLOSE_FLOOD,
  CLOSE_REPLACED,
  checkRendezvousProtocol,
  type GameListing,
  type GameSummary,
  type HostDetails,
  type HostMessage,
  parseHostDetails,
  parseHostUpdate,
  RENDEZVOUS_PROTOCOL,
  RENDEZVOUS_ROOM,
  type RegisteredMessage,
  summaryOf,
} from "../../rendezvous/wire/protocol.ts";
import { checkServersOptions, type ServersOptions } from "../../rendezvous/wire/servers.ts";
import { VersionNotices } from "../../session/versions.ts";
import { ClockSteps } from "./clock-steps.ts";
import { Guests } from "./guests.ts";
import { findByInvite } from "./invite-index.ts";
import { LIMITS, type RendezvousLimits } from "./limits.ts";
import { LiveCodes } from "./live-codes.ts";
import { CLOCK_TOLERANCE_MS, mintServers, renewServersAfter } from "./mint-servers.ts";
import { Quota } from "./quota.ts";
import { WorkQueue } from "./work-queue.ts";

/** The numbers are HTTP's, since that is how Colyseus' matchmaking carries them. */
const STATUS = { invalid: 400, forbidden: 403, tooMany: 429, busy: 503, full: 507 } as const;

/** Options of `defineRendezvous`. */
export interface RendezvousOptions extends ServersOptions {
  /** The lobby's own URL, as players know it: makes the invite's link. Without it the host uses the URL it knows. */
  publicUrl?: string;
}

interface Metadata {
  invite: string;
  /** True once the host has come in. */
  listed: boolean;
  online: boolean;
  summary?: GameSummary;
}

/** What {@link RendezvousRoom.onAuth} found out. */
interface Caller {
  address: string;
}

/** Under which the lobby's own options come to a room, which also gets those of the client that makes it. */
const LOBBY = "~lobby";
/** Under which {@link RendezvousRoom.onAuth} tells {@link RendezvousRoom.onCreate}, maybe in another process, who is asking. */
const CALLER = "~caller";
interface CallerOption {
  address: string;
  /** Where it asked. */
  processId: string;
}

/** The ways in that look for a game by its invite. By `create` a second game could come under the invite of another. */
const METHODS: ReadonlySet<string> = new Set(["join", "joinOrCreate"]);

/** Room for a host that has reserved its seat and has not come yet: the seat itself lasts 15 s. */
const ARRIVAL_MS = 20_000;

/** Each hash takes 16 MiB and 40 ms of a thread that also reads files: libuv has four. */
const HASHES = { running: 2, waiting: 16 } as const;

const quota = new Quota(LIMITS);
const hashes = new WorkQueue(HASHES);
const liveCodes = new LiveCodes();
const clockSteps = new ClockSteps(CLOCK_TOLERANCE_MS);
/** In the lobby's log, once for each version. */
const versions = new VersionNotices((sentence) => logger.warn(`Rendezvous: ${sentence}`));

/** The room of one hosted game in a lobby: `defineRendezvous` makes its definition. */
export class RendezvousRoom extends Room<{ metadata: Metadata }> {
  /** For the whole process; change them before the server listens. */
  static readonly limits: RendezvousLimits = LIMITS;

  // Nothing here is synchronised state, and a room per game must not cost a timer of 20 Hz each.
  override patchRate = 60_000;
  override autoDispose = false;
  // A host that speaks with many players at once; what each may send is limited below.
  override maxMessagesPerSecond = 4000;
  override messages: Messages<RendezvousRoom> = {
    update: (client: Client, message: unknown): void => this.#onUpdate(client, message),
    introduce: (client: Client, message: unknown): void => this.#guests.introduce(client, message),
    relay: (client: Client, message: unknown): void => this.#guests.relay(client, message),
    end: (client: Client, message: unknown): void => this.#guests.end(client, message),
  };

  #code = "";
  #verifier: Buffer = Buffer.alloc(0);
  #key = "";
  #options: RendezvousOptions = {};
  #host: Client | undefined;
  /** Who is charged with this game. */
  #hostAddress: string | undefined;
  #details: HostDetails | undefined;
  #counted = false;
  #claimed = false;
  #holdTimer: NodeJS.Timeout | undefined;
  #renewTimer: NodeJS.Timeout | undefined;
  #ignoreClock: () => void = () => undefined;
  readonly #guests = new Guests(LIMITS);
  readonly #updates = new RateLimiter({ burst: 40, perSecond: 20, maxKeys: 4 });

  /**
   * Every request comes through here before anything is looked up. Colyseus calls it without `this`.
   *
   * The address is what Colyseus makes of `x-real-ip` and `x-forwarded-for`: `guardRequests` must have set these, or all callers
   * share one bucket, or write their own.
   */
  static override async onAuth(_token: string, options: unknown, context: AuthContext): Promise<Caller> {
    findByInvite(liveCodes);
    const address = context.ip ?? "unknown";
    if (!(await quota.takeRequest(address))) throw tooManyRequests();
    const asked = (options ?? {}) as Record<string, unknown>;
    const { invite, protocol } = asked;
    try {
      checkRendezvousProtocol(protocol, "lobby");
    } catch (error) {
      const { message } = error as RendezvousError;
      if (typeof protocol === "number") versions.tell(protocol, () => message);
      throw new ServerError(STATUS.invalid, message);
    }
    // Without this check a request that names no invite would match any game.
    if (typeof invite !== "string" || parseInviteCode(invite) !== invite) {
      throw new ServerError(STATUS.invalid, "An invite such as K7Q2-9FXM is needed.");
    }
    const method = methodOf(context);
    if (method !== undefined && !METHODS.has(method)) {
      throw new ServerError(STATUS.forbidden, "A lobby takes join and joinOrCreate, with an invite.");
    }
    // Whoever brings a game pays by the hash; whoever only asks for one guesses, whatever he calls himself.
    const brings = asked["role"] === "host" && method === "joinOrCreate";
    if (!brings && !(await quota.takeCode(address, await liveCodes.isLive(invite)))) throw tooManyRequests();
    asked[CALLER] = { address, processId: matchMaker.processId } satisfies CallerOption;
    return { address };
  }

  /** The games hosted now, as anybody may see them, on all processes of this lobby. */
  static async list(roomName: string = RENDEZVOUS_ROOM): Promise<GameListing[]> {
    const rooms = await matchMaker.query<RendezvousRoom>({ name: roomName });
    const games: GameListing[] = [];
    for (const { roomId, metadata } of rooms) {
      if (metadata?.summary === undefined || !metadata.listed) continue;
      games.push({ id: roomId, online: metadata.online, ...metadata.summary });
    }
    return games;
  }

  /** Only a host can bring the room into being: it must own the invite that it claims. */
  override async onCreate(options: Record<string, unknown>): Promise<void> {
    const caller = options[CALLER] as CallerOption | undefined;
    try {
      await this.#admitHost(options, caller);
    } catch (error) {
      this.#giveBack(); // onDispose is not called for a room that was never made
      throw caller === undefined || caller.processId === matchMaker.processId ? error : forOtherProcess(error);
    }
    const { invite, key } = options;
    this.#key = key as string;
    // The lobby's own: Colyseus lays them over what the host says.
    this.#options = options[LOBBY] as RendezvousOptions;
    this.metadata = { invite: invite as string, listed: false, online: false };
    // Colyseus' own LobbyRoom shows the metadata of all listed rooms to everybody.
    await this.setMatchmaking({ unlisted: true });
    this.#hold(ARRIVAL_MS);
  }

  override async onJoin(client: Client, options: Record<string, unknown>): Promise<void> {
    if (options?.["invite"] !== this.#code) {
      await quota.takeCode(addressOf(client), false);
      throw new ServerError(STATUS.forbidden, "This is not the game's invite.");
    }
    if (options["role"] === "host") await this.#onHost(client, options);
    else this.#onGuest(client);
  }

  override async onLeave(client: Client, code?: number): Promise<void> {
    this.#guests.remove(client);
    if (client !== this.#host) return;
    this.#setHost(undefined);
    if (code === CloseCode.CONSENTED) {
      // Not disconnect(): that would wait for this very method. The room ends when the last one has gone.
      this.autoDispose = true;
      this.#forgetAddress();
      await this.setMatchmaking({
        locked: true,
        metadata: { invite: this.#code, listed: false, online: false },
      });
      for (const guest of this.#guests.clients) guest.leave(CLOSE_ENDED, "the host has closed the game");
      return;
    }
    this.#hold(LIMITS.holdMs);
    await this.#publish();
  }

  override onDispose(): void {
    clearTimeout(this.#holdTimer);
    clearTimeout(this.#renewTimer);
    this.#ignoreClock();
    this.#guests.dispose();
    this.#giveBack();
  }

  /** What costs little is asked first. @throws ServerError */
  async #admitHost(options: Record<string, unknown>, caller: CallerOption | undefined): Promise<void> {
    const { invite, proof, key } = options;
    if (options["role"] !== "host") {
      throw new ServerError(STATUS.invalid, "No game has this invite, and this is no host that brings one.");
    }
    this.#counted = await quota.addGame();
    if (!this.#counted) throw new ServerError(STATUS.full, "This lobby is full. Host without it, or use another.");
    if (caller !== undefined) {
      await this.#chargeHost(caller.address);
      if (!(await quota.takeHash(caller.address))) throw tooManyRequests();
    }
    const hashed = hashes.run(() => ownsInvite(invite, proof, key));
    if (hashed === undefined) throw new ServerError(STATUS.busy, "Many games are coming to this lobby. Try again.");
    if (!(await hashed.catch(() => false))) {
      if (caller !== undefined) await quota.takeCode(caller.address, false);
      throw belongsToAnother();
    }
    this.#code = invite as string;
    this.#verifier = verifierOf(proof as string);
    this.#claimed = await liveCodes.claim(this.#code, this.#owner, this.roomId);
    if (!this.#claimed) throw belongsToAnother();
  }

  async #onHost(client: Client, options: Record<string, unknown>): Promise<void> {
    if (!proofMatches(options["proof"], this.#verifier) || options["key"] !== this.#key) {
      throw belongsToAnother();
    }
    const details = this.#checked(() => parseHostDetails(options["details"]));
    await this.#chargeHost(addressOf(client));
    clearTimeout(this.#holdTimer);
    const previous = this.#host;
    this.#setHost(client);
    previous?.leave(CLOSE_REPLACED, "another connection of this host has taken over");
    this.#details = details;
    const registered: RegisteredMessage = { code: this.#code, protocol: RENDEZVOUS_PROTOCOL };
    if (this.#options.publicUrl !== undefined) registered.url = inviteUrl(this.#options.publicUrl, this.#code);
    client.send("registered", registered);
    this.#sendServers(client);
    this.#renewServers();
    await this.#publish();
  }

  #onGuest(client: Client): void {
    this.#guests.add(client, addressOf(client));
    this.#sendServers(client);
    // Else the host has reserved its seat and is on its way: they are told when it comes.
    if (this.#details !== undefined) client.send("host", this.#hostMessage(this.#details));
  }

  #onUpdate(client: Client, message: unknown): void {
    // A guest has nothing to update, and learns nothing from trying.
    if (client !== this.#host || this.#details === undefined) return;
    if (!this.#updates.take(client.sessionId, performance.now())) {
      client.leave(CLOSE_FLOOD, "too many updates");
      return;
    }
    let update: Partial<HostDetails>;
    try {
      update = parseHostUpdate(message);
    } catch (error) {
      client.send("refused", { reason: error instanceof Error ? error.message : "malformed" });
      return;
    }
    Object.assign(this.#details, update);
    this.#publish().catch(() => undefined); // the driver's trouble is not the host's
  }

  #hostMessage(details: HostDetails): HostMessage {
    return {
      ...details,
      protocol: RENDEZVOUS_PROTOCOL,
      online: this.#host !== undefined,
      key: this.#key,
      verifier: this.#owner,
    };
  }

  #setHost(host: Client | undefined): void {
    this.#host = host;
    this.#guests.setHost(host, this.#hostAddress);
  }

  /** Each gets credentials of its own. The label shows in the TURN server's log and opens nothing. */
  #sendServers(client: Client): void {
    client.send("servers", mintServers(this.#options, this.roomId, Date.now() / 1000));
  }

  /** A host stays longer than its credentials last, which are bound to the clock of their making. */
  #renewServers(): void {
    clearTimeout(this.#renewTimer);
    this.#ignoreClock();
    const after = renewServersAfter(this.#options);
    if (after === undefined) return;
    const renew = (): void => {
      if (this.#host === undefined) return;
      this.#sendServers(this.#host);
      this.#renewServers();
    };
    this.#renewTimer = setTimeout(renew, after);
    this.#renewTimer.unref();
    this.#ignoreClock = clockSteps.watch(renew);
  }

  async #publish(): Promise<void> {
    if (this.#details === undefined) return;
    const message = this.#hostMessage(this.#details);
    for (const guest of this.#guests.clients) guest.send("host", message);
    await this.setMetadata({
      invite: this.#code,
      listed: true,
      online: message.online,
      summary: summaryOf(this.#details),
    });
  }

  #hold(ms: number): void {
    clearTimeout(this.#holdTimer);
    this.#holdTimer = setTimeout(() => {
      if (this.#host === undefined) this.disconnect().catch(() => undefined);
    }, ms);
    this.#holdTimer.unref();
  }

  get #owner(): string {
    return this.#verifier.toString("base64url");
  }

  /** The game counts for the caller that hosts it now. @throws ServerError */
  async #chargeHost(address: string): Promise<void> {
    if (this.#hostAddress !== undefined && callerKey(address) === callerKey(this.#hostAddress)) return;
    if (!(await quota.addHost(address))) {
      throw new ServerError(STATUS.tooMany, "Too many games are hosted from this address. Close one first.");
    }
    this.#forgetAddress();
    this.#hostAddress = address;
  }

  #giveBack(): void {
    if (this.#counted) quota.removeGame();
    if (this.#claimed) liveCodes.release(this.#code, this.#owner);
    this.#counted = false;
    this.#claimed = false;
    this.#forgetAddress();
  }

  #forgetAddress(): void {
    if (this.#hostAddress === undefined) return;
    quota.removeHost(this.#hostAddress);
    this.#hostAddress = undefined;
  }

  #checked<T>(parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      // Its own host has made the room, and cannot use it so.
      if (this.#details === undefined) this.#hold(0);
      if (error instanceof RendezvousError) throw new ServerError(STATUS.invalid, error.message);
      throw error;
    }
  }
}

function tooManyRequests(): ServerError {
  return new ServerError(STATUS.tooMany, "Too many requests from this address. Wait a minute, then try again.");
}

function belongsToAnother(): ServerError {
  return new ServerError(STATUS.forbidden, "This invite belongs to another host.");
}

/** Between processes Colyseus hands on an error's message alone, and reads a code out of it if it is JSON. */
function forOtherProcess(error: unknown): unknown {
  if (!(error instanceof ServerError)) return error;
  const { code, message } = error;
  return new ServerError(code, JSON.stringify({ code, message }));
}

/** Of Colyseus' matchmaking; undefined where the transport does not tell. */
function methodOf({ req }: AuthContext): string | undefined {
  const url: unknown = (req as { url?: unknown } | undefined)?.url;
  if (typeof url !== "string") return undefined;
  const { matchmakeRoute } = matchMaker.controller;
  return new RegExp(`/${matchmakeRoute}/([^/?#]+)/`).exec(url)?.[1];
}

function addressOf(client: Client): string {
  return (client.auth as Caller | undefined)?.address ?? "unknown";
}

/**
 * The room, ready to be mounted: `defineServer({ rooms: { rendezvous: defineRendezvous() } })`. It must be found by its
 * invite, which is what the filter is for.
 * @throws RendezvousError `invalid` for STUN or TURN options that are none
 */
export function defineRendezvous(options: RendezvousOptions = {}): RegisteredHandler<RendezvousRoom> {
  checkServersOptions(options);
  return defineRoom(RendezvousRoom, { [LOBBY]: options }).filterBy(["invite"]);
}
