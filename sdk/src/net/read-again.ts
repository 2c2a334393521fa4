import type dgram from "node:dgram";

/** What dgram keeps under a symbol of its own: no public method starts to read but `bind`, once. */
interface State {
  readonly handle?: { readonly recvStart?: () => number } | null;
}

/**
 * Lets a socket read again that has reported an error of reading. libuv on Windows stops to read before it reports one, but for
 * WSAECONNRESET and WSAENETRESET, of which it says nothing (`src/win/udp.c`, `uv__process_udp_recv_req`). What has come meanwhile waits in
 * the system's buffer. Where the socket reads already nothing happens.
 * @returns whether it reads; `false` too where a runtime has no such handle
 */
export function readAgain(socket: dgram.Socket): boolean {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "state symbol");
  const state = symbol === undefined ? undefined : (socket as unknown as Partial<Record<symbol, State>>)[symbol];
  try {
    return state?.handle?.recvStart?.() === 0;
  } catch {
    return false;
  }
}
