/** The packages as they would be published, and what `npm create sallyport` makes of them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { run } from "./template-terminal.ts";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

export interface Packed {
  path: string;
  files: string[];
}

/** `npm pack` of a workspace, into a folder. */
export async function pack(workspace: string, folder: string): Promise<Packed> {
  const { code, output } = await run(["npm", "pack", "--json", "--loglevel=error", "--pack-destination", folder], {
    cwd: join(ROOT, workspace),
  });
  expect(code, output).toBe(0);
  const [packed] = Object.values(
    JSON.parse(output.slice(output.search(/^[[{]$/m))) as Record<
      string,
      { filename: string; files: { path: string }[] }
    >,
  );
  if (packed === undefined) throw new Error(output);
  return { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** One command, `npm create sallyport NAME -- …`, but for where the packages come from. */
export async function createFrom(
  { sdk, create }: { sdk: string; create: string },
  folder: string,
  argv: readonly string[],
): Promise<string> {
  const command = ["npm", "exec", "--yes", "--package", create, "--", "create-sallyport"] as const;
  const created = await run([...command, ...argv, "--sdk", sdk], { cwd: folder });
  expect(created.code, created.output).toBe(0);
  return created.output;
}
