import { networkInterfaces } from "node:os";

/** The addresses of each interface, by its name, as `os.networkInterfaces()` gives them. */
export type Interfaces = ReturnType<typeof networkInterfaces>;

/**
 * A reader that never throws: when the system refuses, it answers the list that the system gave last, at first an empty one.
 *
 * The system needs a descriptor to list its interfaces, so `os.networkInterfaces()` throws `ERR_SYSTEM_ERROR` in a process that
 * has none left. Some systems also forbid the list to a sandboxed program.
 */
export function interfaceReader(read: () => Interfaces = networkInterfaces): () => Interfaces {
  let last: Interfaces = {};
  return () => {
    try {
      last = read();
    } catch {
      // An old list keeps what runs; an empty one would look like the loss of every network.
    }
    return last;
  };
}

/** The interfaces of this machine, or those last seen where the system does not tell. Never throws. */
export const readInterfaces: () => Interfaces = interfaceReader();
