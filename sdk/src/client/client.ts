import { isIP } from "node:net";
import {
  type ClientOptions,
  ColyseusSDK,
  type EndpointSettings,
  type JoinOptions,
  type SeatReservation,
} from "@colyseus/sdk";
import type { SchemaConstructor } from "@colyseus/sdk/serializer/SchemaSerializer";
import { connectSession as connectUDP } from "../session/index.ts";
import type { AvailableRoom } from "./available-room.ts";
import { type DiscoverOptions, discoverEachGame, discoverGames, type FoundGame } from "./found-game.ts";
import { abortable, type JoinSettings } from "./join.ts";
import { Nearby } from "./nearby.ts";
import { Passage } from "./passage.ts";
import type { JoinProgress } from "./path.ts";
import { SallyportRoom } from "./room.ts";
import { type RequestToken, requestTokenThrough } from "./token-request.ts";
import type { OptionsOf, RoomOf, ServerRoom, ServerTypes, StateOf, Untyped } from "./types.ts";
import type { ConnectSession } from "./udp-attempt.ts";

export interface SallyportClientOptions extends ClientOptions {
  /** False: WebSocket only. Default true. */
  udp?: boolean;
  /** How long the server may stay silent over UDP before WebSocket has its turn, ms. Default 2500. */
  udpTimeoutMs?: number;
  /** For every join that brings none of its own. */
  onProgress?: (progress: JoinProgress) => void;
  /**
   * Gives the host's present URL. Asked before each reconnection, so that a room follows a host whose address changed; later joins go
   * there too. Where it fails the last known address is dialed.
   */
  resolve?: () => Promise<string>;
  /**
   * False: when a public `http:` address does not answer, the local network is not asked whether its host is there, as it is where a
   * player types the address of the own house and the router does not hairpin. Default true; without effect where there is `fetchFn`.
   */
  lan?: boolean;
  /** Opens a session with a connect token. Default: over a UDP socket of its own. */
  connectSession?: ConnectSession;
  /** Gets a connect token for a seat. Default: `POST /sallyport/connect` at the seat's address. */
  requestToken?: RequestToken;
}

export interface InviteOptions extends SallyportClientOptions {
  /** The lobby's URL, where the invite is a bare code. */
  lobby?: string;
  /** Ends the search for the host. */
  signal?: AbortSignal;
  /** Until the host has answered through the lobby, ms. Default 10 000. */
  timeoutMs?: number;
}

/** By invite all ways are tried at once, through other people's routers and relays: that takes longer than to dial. */
const INVITED_UDP_TIMEOUT_MS = 12_000;

const DEFAULT_UDP_TIMEOUT_MS = 2500;
/** Stands for a host that told no address: its rooms are reached by introduction alone. */
const NO_ENDPOINT = "http://host.invalid";

/** What a join adds to the client it was asked of. */
interface JoinContext extends JoinSettings {
  startedAt: number;
}

/**
 * Colyseus' own client, whose rooms go over UDP: to a server with SallyportTransport if UDP gets through, else, and to any other
 * Colyseus server, over WebSocket as ever.
 */
export class SallyportClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends ColyseusSDK<
  Types,
  UserData
> {
  /** @internal */
  readonly sallyport: Readonly<SallyportClientOptions>;
  /** @internal */
  readonly nearby: Nearby | undefined;
  /** @internal Set on the copy of this client that does one join. */
  declare readonly joinContext: JoinContext | undefined;

  /** @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object. */
  constructor(settings?: string | EndpointSettings, options: SallyportClientOptions = {}) {
    const { lan = true, fetchFn } = options;
    const nearby = lan && !fetchFn ? new Nearby() : undefined;
    super(settings, nearby ? { ...options, fetchFn: nearby.fetch } : options);
    this.sallyport = options;
    this.nearby = nearby;
    if (nearby) nearby.onMove = ({ address: hostname, port }) => Object.assign(this.settings, { hostname, port });
  }

  /**
   * The games on the local network, without lobby or internet: those whose hosts have answered within `timeoutMs` (2000). For Node and
   * Electron; a browser may not look around.
   *
   *     const [game] = await SallyportClient.discover();
   *     if (game) room = await new SallyportClient(game.url).joinOrCreate("arena");
   */
  static discover(options?: DiscoverOptions): Promise<FoundGame[]> {
    return discoverGames(options);
  }

  /**
   * The same, each as it is found, and again when it has changed: `for await (const game of SallyportClient.discoverEach())`. Leaving
   * the loop ends the search; `timeoutMs: Infinity` watches until then.
   */
  static discoverEach(options?: DiscoverOptions): AsyncGenerator<FoundGame> {
    return discoverEachGame(options);
  }

  /**
   * A client of the host that gave this invite, wherever it is: matchmaking goes through the lobby, sealed, and rooms over the best
   * path that both sides find (direct, punched, relayed).
   * @param invite `K7Q2-9FXM` with `lobby`, or the whole link, with which not even the lobby can listen
   * @throws RendezvousError whose `code` says why: `unknown-invite`, `no-lobby`, `unreachable`, `forged`, …
   */
  static async fromInvite<Types extends ServerTypes = Untyped, UserData = Untyped>(
    invite: string,
    { lobby, signal, timeoutMs, ...options }: InviteOptions = {},
  ): Promise<SallyportClient<Types, UserData>> {
    const { passage, endpoints } = await Passage.open(invite, {
      ...(lobby !== undefined && { lobby }),
      ...(signal && { signal }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    return new SallyportClient<Types, UserData>(endpoints[0] ?? NO_ENDPOINT, {
      udpTimeoutMs: INVITED_UDP_TIMEOUT_MS,
      fetchFn: passage.fetch,
      connectSession: passage.connectSession,
      requestToken: requestTokenThrough(passage.fetch),
      ...options,
    });
  }

  override joinOrCreate<Name extends keyof Types["~rooms"], State = StateOf<RoomOf<Types, Name>>>(
    roomName: Name,
    options?: OptionsOf<RoomOf<Types, Name>>,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomOf<Types, Name>, State>>;
  override joinOrCreate<RoomType extends ServerRoom>(
    roomName: string,
    options?: OptionsOf<RoomType>,
    rootSchema?: SchemaConstructor<RoomType["state"]>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomType, RoomType["state"]>>;
  override joinOrCreate<State = Untyped>(
    roomName: string,
    options?: JoinOptions,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>>;
  override joinOrCreate(
    name: string,
    options?: JoinOptions,
    root?: SchemaConstructor<Untyped>,
    settings?: JoinSettings,
  ) {
    return join(this, settings, (client) => super.joinOrCreate.call(client, name, options, root));
  }

  override create<Name extends keyof Types["~rooms"], State = StateOf<RoomOf<Types, Name>>>(
    roomName: Name,
    options?: OptionsOf<RoomOf<Types, Name>>,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomOf<Types, Name>, State>>;
  override create<RoomType extends ServerRoom>(
    roomName: string,
    options?: OptionsOf<RoomType>,
    rootSchema?: SchemaConstructor<RoomType["state"]>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomType, RoomType["state"]>>;
  override create<State = Untyped>(
    roomName: string,
    options?: JoinOptions,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>>;
  override create(name: string, options?: JoinOptions, root?: SchemaConstructor<Untyped>, settings?: JoinSettings) {
    return join(this, settings, (client) => super.create.call(client, name, options, root));
  }

  override join<Name extends keyof Types["~rooms"], State = StateOf<RoomOf<Types, Name>>>(
    roomName: Name,
    options?: OptionsOf<RoomOf<Types, Name>>,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomOf<Types, Name>, State>>;
  override join<RoomType extends ServerRoom>(
    roomName: string,
    options?: OptionsOf<RoomType>,
    rootSchema?: SchemaConstructor<RoomType["state"]>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomType, RoomType["state"]>>;
  override join<State = Untyped>(
    roomName: string,
    options?: JoinOptions,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>>;
  override join(name: string, options?: JoinOptions, root?: SchemaConstructor<Untyped>, settings?: JoinSettings) {
    return join(this, settings, (client) => super.join.call(client, name, options, root));
  }

  override joinById<Name extends keyof Types["~rooms"], State = StateOf<RoomOf<Types, Name>>>(
    roomId: string,
    options?: OptionsOf<RoomOf<Types, Name>>,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomOf<Types, Name>, State>>;
  override joinById<RoomType extends ServerRoom>(
    roomId: string,
    options?: OptionsOf<RoomType>,
    rootSchema?: SchemaConstructor<RoomType["state"]>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomType, RoomType["state"]>>;
  override joinById<State = Untyped>(
    roomId: string,
    options?: JoinOptions,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>>;
  override joinById(roomId: string, options?: JoinOptions, root?: SchemaConstructor<Untyped>, settings?: JoinSettings) {
    return join(this, settings, (client) => super.joinById.call(client, roomId, options, root));
  }

  override reconnect<Name extends keyof Types["~rooms"]>(
    reconnectionToken: string,
    roomName?: Name,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomOf<Types, Name>>>;
  override reconnect<RoomType extends ServerRoom>(
    reconnectionToken: string,
    rootSchema?: SchemaConstructor<RoomType["state"]>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<RoomType, RoomType["state"]>>;
  override reconnect<State = Untyped>(
    reconnectionToken: string,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>>;
  override reconnect(reconnectionToken: string, root?: Untyped, settings?: JoinSettings) {
    return join(this, settings, (client) => super.reconnect.call(client, reconnectionToken, root));
  }

  override consumeSeatReservation<State>(
    seat: SeatReservation,
    rootSchema?: SchemaConstructor<State>,
    settings?: JoinSettings,
  ): Promise<SallyportRoom<Untyped, State>> {
    const root = rootSchema as SchemaConstructor<Untyped>;
    const consume = (client: Untyped): Promise<Untyped> => super.consumeSeatReservation.call(client, seat, root);
    // Colyseus calls this for the joins above too.
    return this.joinContext ? consume(this) : join(this, settings, consume);
  }

  /**
   * The rooms that are open to all, of one name or of any, where the server offers a list (`listRooms` of SallyportTransport).
   * @throws ServerError 404 where it does not
   */
  async getAvailableRooms<Metadata = Untyped>(roomName = ""): Promise<AvailableRoom<Metadata>[]> {
    const { data } = await (this.http as Untyped).get(`/matchmake/${encodeURIComponent(roomName)}`, {});
    return data as AvailableRoom<Metadata>[];
  }

  protected override createRoom<State>(
    name: string,
    rootSchema?: SchemaConstructor<State>,
  ): SallyportRoom<Untyped, State> {
    const {
      udp = true,
      udpTimeoutMs = DEFAULT_UDP_TIMEOUT_MS,
      connectSession = connectUDP,
      requestToken,
      resolve,
    } = this.sallyport;
    const { signal, onProgress, startedAt = performance.now() } = this.joinContext ?? {};
    return new SallyportRoom<Untyped, State>(name, rootSchema, {
      udp,
      udpTimeoutMs,
      connectSession,
      requestToken,
      resolve: resolve && (async () => follow(this.settings, await resolve())),
      detour: () => this.nearby?.explain(this.settings.hostname) ?? "",
      signal,
      onProgress: (stage, detail) => report(onProgress, startedAt, stage, detail),
    });
  }

  protected override buildEndpoint(seat: SeatReservation, options?: Record<string, unknown>): string {
    const url = super.buildEndpoint(seat, options);
    // Colyseus takes the scheme from the matchmaker. A home host behind an https lobby has an address and no certificate.
    const host = seat.publicAddress && new URL(`ws://${seat.publicAddress}`).hostname;
    return host && isIP(host.replace(/^\[|\]$/g, "")) !== 0 ? url.replace(/^wss:/, "ws:") : url;
  }
}

/** The host has moved: from now on everything goes there. The settings are shared by a client and the copies that do its joins. */
function follow(settings: EndpointSettings, url: string): URL {
  const moved = new URL(url);
  const secure = moved.protocol === "https:" || moved.protocol === "wss:";
  const port = Number(moved.port || (secure ? 443 : 80));
  Object.assign(settings, { hostname: moved.hostname, port, secure, pathname: moved.pathname.replace(/\/+$/, "") });
  return moved;
}

/** Runs one join on a copy of the client that carries the join's settings: joins of one client may overlap. */
function join<Types extends ServerTypes, UserData>(
  client: SallyportClient<Types, UserData>,
  settings: JoinSettings = {},
  work: (client: Untyped) => Promise<Untyped>,
): Promise<Untyped> {
  const { signal } = settings;
  const onProgress = settings.onProgress ?? client.sallyport.onProgress;
  const startedAt = performance.now();
  const joinContext: JoinContext = { startedAt, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  // Fields that Colyseus changes on its client (the auth token) live on, behind the copy.
  const copy = Object.create(client, { joinContext: { value: joinContext } }) as SallyportClient<Types, UserData>;
  if (signal) {
    const options = { ...client.http.options, signal };
    copy.http = Object.create(client.http, { options: { value: options } }) as typeof client.http;
  }
  report(onProgress, startedAt, "matchmaking");
  return abortable(work(copy), signal);
}

function report(
  onProgress: JoinSettings["onProgress"],
  startedAt: number,
  stage: JoinProgress["stage"],
  detail?: string,
): void {
  onProgress?.({ stage, ms: Math.round(performance.now() - startedAt), ...(detail !== undefined && { detail }) });
}
