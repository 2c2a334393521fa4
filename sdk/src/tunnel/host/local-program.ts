/** Where the local program is: on 127.0.0.1, else on ::1, else where the person who hosts says. */
import { connect, type Socket } from "node:net";
import { isPortTaken, UDPSocketError } from "../../net/udp-error.ts";
import { UDPSocket } from "../../net/udp-socket.ts";

const IPV4 = "127.0.0.1";
const IPV6 = "::1";
const CONNECT_TIMEOUT_MS = 10_000;

/** How a shared UDP port's program is reached. Where nobody listens yet, 127.0.0.1 is as good as any. */
export function udpTarget(port: number, stated: string | undefined): string {
  if (stated !== undefined) return stated;
  return !isTaken(port, IPV4) && isTaken(port, IPV6) ? IPV6 : IPV4;
}

/** A port that cannot be bound has a program. UDP has no other way to ask. */
function isTaken(port: number, address: string): boolean {
  try {
    void UDPSocket.open({ port, address }).close();
    return false;
  } catch (error) {
    return error instanceof UDPSocketError && isPortTaken(error.code, port);
  }
}

/**
 * Connects to a shared TCP port's program, from the guest's own address where the system has it.
 * @throws Error with the system's code: `ECONNREFUSED` where nobody listens yet
 */
export async function dialProgram(
  port: number,
  stated: string | undefined,
  source: string | undefined,
): Promise<Socket> {
  if (stated !== undefined) return await dial(port, stated, stated === IPV4 ? source : undefined);
  try {
    return await dial(port, IPV4, source);
  } catch (error) {
    return await dial(port, IPV6, undefined).catch(() => {
      throw error;
    });
  }
}

async function dial(port: number, host: string, source: string | undefined): Promise<Socket> {
  if (source === undefined) return await dialFrom(port, host, undefined);
  try {
    return await dialFrom(port, host, source);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw error;
    return await dialFrom(port, host, undefined);
  }
}

function dialFrom(port: number, host: string, localAddress: string | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host,
      allowHalfOpen: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error("The local program did not answer.")));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
