import { SharedEntries } from "./shared-entries.ts";

/**
 * Which codes have a game in one of the lobby's processes, and whose they are. A code is 40 bits of a hash: somebody with some
 * thousand years of a processor's time finds another secret for one of them, and must not open a second game under it.
 */
export class LiveCodes {
  readonly #entries = new SharedEntries();
  /** Of this process: how many games have the code, which are two while one takes over from the other. */
  readonly #games = new Map<string, number>();

  /**
   * False where another owner has it. Else {@link release} must follow.
   * @param owner the same for the same secret
   * @param roomId the game's
   */
  async claim(code: string, owner: string, roomId: string): Promise<boolean> {
    if (await this.#isTaken(code, owner)) return false;
    this.#games.set(code, (this.#games.get(code) ?? 0) + 1);
    await this.#entries.set(nameOf(code), owner, roomId);
    // Of two who came at once, neither gets it: the rightful one comes again.
    if (!(await this.#isTaken(code, owner))) return true;
    this.release(code, owner);
    return false;
  }

  release(code: string, owner: string): void {
    const games = (this.#games.get(code) ?? 1) - 1;
    if (games > 0) this.#games.set(code, games);
    else {
      this.#games.delete(code);
      void this.#entries.delete(nameOf(code), owner);
    }
  }

  async isLive(code: string): Promise<boolean> {
    return this.#games.has(code) || (await this.#entries.read(nameOf(code))).size > 0;
  }

  /** Which rooms a code leads to, in all processes; undefined when one of them, of an earlier release, does not say. */
  async roomsOf(code: string): Promise<string[] | undefined> {
    const rooms = [...(await this.#entries.read(nameOf(code))).values()];
    return rooms.includes("") ? undefined : rooms;
  }

  async #isTaken(code: string, owner: string): Promise<boolean> {
    for (const other of (await this.#entries.read(nameOf(code))).keys()) if (other !== owner) return true;
    return false;
  }
}

const nameOf = (code: string): string => `code:${code}`;
