import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { errorCode, UDPSocketError } from "../../net/udp-error.ts";
import { RendezvousError } from "../../rendezvous/wire/errors.ts";
import type { ServersOptions, TurnOptions } from "../../rendezvous/wire/servers.ts";
import { StunServer } from "../../stun/server.ts";
import { TurnRelayServer } from "../../turn/server/relay-server.ts";
import type { LobbyServersSettings, OwnTurnSettings } from "./servers-environment.ts";

/** For {@link LobbyServers.open}. */
export interface LobbyServersOptions extends LobbyServersSettings {
  /** The lobby's URL as players know it. Its host names this machine, and has the relayed addresses of `ownTurn`. */
  publicUrl: string;
}

/**
 * The STUN and TURN servers that a lobby runs beside its room, and what it tells hosts and players of them. A lobby without STUN is still
 * a lobby, so that a port that is taken is told by `stunFailure`; TURN that was asked for and can't be had is an error.
 */
export class LobbyServers implements AsyncDisposable {
  /** For `defineRendezvous`. */
  readonly options: ServersOptions;
  /** Undefined when others relay, or nobody. */
  readonly turn: TurnRelayServer | undefined;
  /** Why there is no STUN responder. */
  readonly stunFailure: UDPSocketError | undefined;
  readonly #stun: StunServer | undefined;

  private constructor(
    options: ServersOptions,
    turn: TurnRelayServer | undefined,
    stun: StunServer | UDPSocketError | undefined,
  ) {
    this.options = options;
    this.turn = turn;
    if (stun instanceof UDPSocketError) this.stunFailure = stun;
    else this.#stun = stun;
  }

  /**
   * @throws RendezvousError `invalid` when the host of `publicUrl` has no address, which `ownTurn` needs
   * @throws UDPSocketError when the port of `ownTurn` can't be had over UDP and TCP
   */
  static async open({ publicUrl, stunPort, stunUrls, turn, ownTurn }: LobbyServersOptions): Promise<LobbyServers> {
    const { hostname } = new URL(publicUrl);
    const relay = ownTurn && (await openTurn(ownTurn, stunPort, hostname));
    const stun = relay || stunPort === 0 ? undefined : openStun(stunPort);
    const port = relay?.server.port ?? (stun instanceof StunServer ? stun.port : undefined);
    const own = port === undefined ? [] : [`stun:${hostname}:${port}`];
    const told = relay?.options ?? turn;
    return new LobbyServers({ stun: stunUrls ?? own, ...(told && { turn: told }) }, relay?.server, stun);
  }

  /** Ends all that is relayed. */
  async close(): Promise<void> {
    await Promise.all([this.turn?.close(), this.#stun?.close()]);
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function openStun(port: number): StunServer | UDPSocketError {
  try {
    return StunServer.open({ port });
  } catch (error) {
    if (error instanceof UDPSocketError) return error;
    throw error;
  }
}

/** STUN and TURN on one port of this machine. */
async function openTurn(
  { secret = randomBytes(32).toString("hex"), relayPorts, limits }: OwnTurnSettings,
  port: number,
  hostname: string,
): Promise<{ server: TurnRelayServer; options: TurnOptions }> {
  const relayAddresses = await addressesOf(hostname);
  try {
    const server = await TurnRelayServer.open({
      port,
      secret,
      relayAddresses,
      limits,
      ...(relayPorts && { relayPorts }),
    });
    const url = `turn:${hostname}:${server.port}`;
    return { server, options: { urls: [`${url}?transport=udp`, `${url}?transport=tcp`], secret } };
  } catch (error) {
    const code = errorCode(error);
    throw new UDPSocketError(
      code,
      `No TURN here: port ${port} cannot be had over UDP and TCP (${code}). End what has it (coturn?), or choose another by STUN_PORT.`,
      { cause: error },
    );
  }
}

/** One address of each family: relayed addresses are literal. */
async function addressesOf(hostname: string): Promise<string[]> {
  const name = hostname.replace(/^\[|\]$/g, "");
  const found = await lookup(name, { all: true }).catch((error: unknown) => {
    const why = `needs an address for ${name}, the host of the lobby's public URL, and finds none`;
    throw new RendezvousError("invalid", `TURN=own ${why} (${errorCode(error)}).`, { cause: error });
  });
  return [4, 6].flatMap((family) => found.find((each) => each.family === family)?.address ?? []);
}
