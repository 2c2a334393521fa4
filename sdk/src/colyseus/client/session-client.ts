import {
  type ClientOptions,
  ColyseusSDK,
  type EndpointSettings,
  type JoinOptions,
  type SeatReservation,
} from "@colyseus/sdk";
import type { SchemaConstructor } from "@colyseus/sdk/serializer/SchemaSerializer";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { type NetworkPreset, networkConditions } from "../../channel/network-presets.ts";
import { traceOf } from "../../net/trace.ts";
import { abortable } from "../../net/wait.ts";
import type { TurnServer } from "../../turn/open.ts";
import type { ClientLimits } from "../wire/traffic-limits.ts";
import type { AvailableRoom } from "./available-room.ts";
import type { JoinSettings } from "./join.ts";
import type { JoinProgress } from "./path.ts";
import { patientFetch } from "./patience.ts";
import { SallyportRoom, type StateOf } from "./room.ts";
import { isAddress } from "./seat-request.ts";
import type { SessionWay } from "./session-way.ts";
import type { OptionsOf, RoomOf, ServerRoom, ServerTypes, Untyped } from "./types.ts";

const trace = traceOf("colyseus");

/** How a game is found by an invite. */
export interface InviteSettings {
  /** The lobby's URL, where the invite is a bare code of eight characters. One of twelve is of `public`, which needs none. */
  lobby?: string;
  /** For an invite of `public`: relays in place of the package's list, as HostRegistration takes them. A whole link names its own. */
  relays?: readonly string[];
  /** For an invite of `public`: STUN servers (`stun:HOST:PORT`) in place of the package's list. */
  stunServers?: readonly string[];
  /**
   * Hides this player's addresses from the host: rooms are reached over a TURN server alone, the lobby's or one of `turnServers`; no
   * address of either home is dialed, not even for WebSocket. Players who relay for others are not used: they would see the address.
   * Default false.
   */
  relayOnly?: boolean;
  /** TURN servers beside those that the lobby names. Default none. */
  turnServers?: readonly TurnServer[];
  /** Ends the search for the host. */
  signal?: AbortSignal;
  /** Until the host has answered through the lobby, ms. Default 10 000. */
  timeoutMs?: number;
}

export interface SessionClientOptions extends ClientOptions {
  /** For every join that brings none of its own. */
  onProgress?: (progress: JoinProgress) => void;
  /**
   * Gives the host's present URL. Asked before each reconnection, so that a room follows a host whose address changed; later joins go
   * there too. Where it fails the last known address is dialed.
   */
  resolve?: () => Promise<string>;
  /** What a server may take of this client over UDP or WebRTC; a WebSocket is the platform's. Default: see {@link ClientLimits}. */
  limits?: ClientLimits;
  /**
   * A bad line to every room, for trying the game out: conditions, or the name of a preset, `mobile`, `hotel Wi-Fi` or
   * `other continent`. See {@link SallyportRoom.conditions}. Default: the line as it is.
   */
  conditions?: NetworkConditions | NetworkPreset | undefined;
}

/** What `selectByLatency` measures and how, as Colyseus' own has it. */
export type LatencyOptions = Parameters<ColyseusSDK["getLatency"]>[0];

/**
 * The one of these clients whose server answers soonest.
 * @throws Error where none answers
 */
export async function fastest<Client extends ColyseusSDK>(
  clients: readonly Client[],
  options: LatencyOptions = {},
): Promise<Client> {
  const measured = await Promise.allSettled(
    clients.map(async (client) => ({ client, ms: await client.getLatency(options) })),
  );
  const answered = measured.filter((each) => each.status === "fulfilled").map(({ value }) => value);
  const [best, ...others] = answered;
  if (!best) throw new Error("None of the endpoints answers.", { cause: measured });
  return others.reduce((a, b) => (b.ms < a.ms ? b : a), best).client;
}

/** Stands for a host that told no address: its rooms are reached by introduction alone. */
export const NO_ENDPOINT = "http://host.invalid";
/** Why a client whose addresses stay hidden opens no WebSocket. */
export const HIDDEN_NO_WEBSOCKET = "WebSocket would show this player's address (relayOnly)";
/** By invite all ways are tried at once, through other people's routers and relays: that takes longer than to dial. */
export const INVITED_TIMEOUT_MS = 12_000;

/** What a join adds to the client it was asked of. */
interface JoinContext extends JoinSettings {
  startedAt: number;
}

/**
 * Colyseus' own client, whose rooms go another way than WebSocket where there is one. What that is, its kinds say: UDP in
 * programs, WebRTC in browsers. Nothing here is Node's.
 */
export abstract class SessionClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends ColyseusSDK<
  Types,
  UserData
> {
  /** @internal */
  readonly sallyport: Readonly<SessionClientOptions>;
  /** @internal Set on the copy of this client that does one join. */
  declare readonly joinContext: JoinContext | undefined;

  /**
   * @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object.
   * @throws RangeError for a line that there is not
   */
  constructor(settings?: string | EndpointSettings, options: SessionClientOptions = {}) {
    const { conditions, fetchFn = globalThis.fetch && ((input, init) => globalThis.fetch(input, init)) } = options;
    super(settings, fetchFn ? { ...options, fetchFn: patientFetch(fetchFn) } : options);
    this.sallyport = conditions === undefined ? options : { ...options, conditions: networkConditions(conditions) };
  }

  /** @internal The way that is tried before WebSocket. */
  protected abstract readonly way: SessionWay;

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
    if (trace.on) trace.event("seat", { name: seat.name, roomId: seat.roomId, publicAddress: seat.publicAddress });
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

  /** @internal Why the server is not at the address that was asked for; empty where it is. */
  protected detour(): string {
    return "";
  }

  protected override createRoom<State>(
    name: string,
    rootSchema?: SchemaConstructor<State>,
  ): SallyportRoom<Untyped, State> {
    const { resolve, conditions } = this.sallyport;
    const { signal, onProgress, startedAt = performance.now() } = this.joinContext ?? {};
    return new SallyportRoom<Untyped, State>(name, rootSchema, {
      way: this.way,
      detour: () => this.detour(),
      resolve: resolve && (async () => follow(this.settings, await resolve())),
      signal,
      conditions: conditions && networkConditions(conditions),
      onProgress: (stage, detail) => report(onProgress, startedAt, stage, detail),
    });
  }

  protected override buildEndpoint(seat: SeatReservation, options?: Record<string, unknown>): string {
    const url = super.buildEndpoint(seat, options);
    // Colyseus takes the scheme from the matchmaker. A home host behind an https lobby has an address and no certificate.
    const host = seat.publicAddress && new URL(`ws://${seat.publicAddress}`).hostname;
    return host && isAddress(host) ? url.replace(/^wss:/, "ws:") : url;
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
  client: SessionClient<Types, UserData>,
  settings: JoinSettings = {},
  work: (client: Untyped) => Promise<Untyped>,
): Promise<Untyped> {
  const { signal } = settings;
  const onProgress = settings.onProgress ?? client.sallyport.onProgress;
  const startedAt = performance.now();
  const joinContext: JoinContext = { startedAt, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  // Fields that Colyseus changes on its client (the auth token) live on, behind the copy.
  const copy = Object.create(client, { joinContext: { value: joinContext } }) as SessionClient<Types, UserData>;
  if (signal) {
    const options = { ...client.http.options, signal };
    copy.http = Object.create(client.http, { options: { value: options } }) as typeof client.http;
  }
  report(onProgress, startedAt, "matchmaking");
  const joined = abortable(work(copy), signal);
  if (trace.on) traceJoin(joined, startedAt);
  return joined;
}

function traceJoin(joined: Promise<Untyped>, startedAt: number): void {
  joined.then(
    ({ name, roomId }: SallyportRoom) => trace.event("joined", { name, roomId, ms: performance.now() - startedAt }),
    (error: unknown) => {
      const { code, message } = error as { code?: number; message?: string };
      trace.event("join-failed", { code, reason: message ?? String(error), ms: performance.now() - startedAt });
    },
  );
}

function report(
  onProgress: JoinSettings["onProgress"],
  startedAt: number,
  stage: JoinProgress["stage"],
  detail?: string,
): void {
  if (trace.on) trace.event("join", { stage, detail, ms: performance.now() - startedAt });
  onProgress?.({ stage, ms: Math.round(performance.now() - startedAt), ...(detail !== undefined && { detail }) });
}
