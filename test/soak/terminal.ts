/** However a game in a terminal is ended, no port stays open on the router: the cells of `test/lab/terminal.test.ts`. */
import { prepare } from "../lab/lab/prepare.ts";
import { CELLS, type Cell, run } from "../lab/terminal/cells.ts";
import { Street } from "../lab/terminal/street.ts";
import type { SoakResult, SoakSizes } from "./row.ts";

const HOMES = 4;

export async function* soak({ times }: SoakSizes): AsyncIterable<SoakResult> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(`no NAT lab here: ${missing}`);
  await using street = await Street.build(HOMES);
  for (const cell of CELLS) yield await repeat(cell, times, street);
}

async function repeat(cell: Cell, times: number, street: Street): Promise<SoakResult> {
  const failures: string[] = [];
  const once = async (): Promise<void> => {
    try {
      const left = await run(cell, street);
      if (left.length > 0)
        failures.push(left.map(({ protocol, externalPort }) => `${protocol} ${externalPort}`).join(", "));
    } catch (error) {
      failures.push(error instanceof Error ? error.message.slice(0, 2000) : String(error));
    }
  };
  await Promise.all(Array.from({ length: times }, once));
  const [first] = failures;
  return {
    what: cell.name,
    passed: times - failures.length,
    failed: failures.length,
    ...(first === undefined ? {} : { detail: `left or failed: ${first}` }),
  };
}
