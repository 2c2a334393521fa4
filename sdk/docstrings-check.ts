/**
 * Every name that a door of the package exports, and every member of it, has a docstring: counts them, and lists those without.
 * Members with `override` have their base's. Comments with `@internal` are no part of the package's face.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";

/** What oxc's nodes have of ESTree and TypeScript, as far as it is looked at here. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface Missing {
  readonly file: string;
  readonly line: number;
  readonly name: string;
}

export interface Count {
  exports: number;
  members: number;
  missing: Missing[];
}

interface Module {
  readonly path: string;
  readonly source: string;
  readonly body: readonly Node[];
  readonly comments: readonly Node[];
}

const SIGNATURES = new Set([
  "TSPropertySignature",
  "TSMethodSignature",
  "PropertyDefinition",
  "MethodDefinition",
  "Property",
]);

export class DocstringCount implements Count {
  exports = 0;
  members = 0;
  readonly missing: Missing[] = [];
  readonly #root: string;
  readonly #modules = new Map<string, Module>();
  readonly #seen = new Set<string>();

  /** @param root what names of files are relative to */
  constructor(root: string) {
    this.#root = root;
  }

  /** Counts what a door exports. */
  addDoor(path: string): void {
    for (const node of this.#module(path).body) {
      if (node.type !== "ExportNamedDeclaration" || node["source"] == null) continue;
      const from = join(dirname(path), (node["source"] as unknown as { value: string }).value);
      for (const specifier of node["specifiers"] as readonly Node[]) this.#addExport(from, nameOf(specifier["local"]));
    }
  }

  #addExport(path: string, name: string): void {
    const found = this.#find(path, name);
    if (found === undefined) throw new Error(`${path} has no ${name}`);
    const { module, nodes } = found;
    const key = `${module.path} ${name}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.exports++;
    // Overloads, and a type beside the value of the same name, share one.
    if (!nodes.some((node) => this.#isDocumented(module, node)))
      this.#miss(module, Math.min(...nodes.map(({ start }) => start)), name);
    for (const node of nodes) this.#addMembers(module, name, node);
  }

  #addMembers(module: Module, owner: string, exported: Node): void {
    const node = (exported["declaration"] ?? exported) as Node;
    switch (node.type) {
      case "ClassDeclaration":
        this.#addList(module, owner, (node["body"] as Node)["body"]);
        this.#addBase(module, owner, node["superClass"]);
        break;
      case "TSInterfaceDeclaration":
        this.#addList(module, owner, (node["body"] as Node)["body"]);
        for (const base of node["extends"] as readonly Node[]) this.#addBase(module, owner, base["expression"]);
        break;
      case "TSTypeAliasDeclaration":
        this.#addType(module, owner, node["typeAnnotation"]);
        break;
      case "VariableDeclaration": {
        const [declared] = node["declarations"] as readonly Node[];
        const annotation = ((declared?.["id"] as Node | undefined)?.["typeAnnotation"] as Node | null)?.[
          "typeAnnotation"
        ];
        if (annotation != null) this.#addType(module, owner, annotation);
        else this.#addObject(module, owner, declared?.["init"]);
      }
    }
  }

  /** What a base that no door exports brings along. */
  #addBase(module: Module, owner: string, base: unknown): void {
    if (base == null || (base as Node).type !== "Identifier") return;
    const found = this.#find(module.path, nameOf(base));
    if (found === undefined || this.#seen.has(`${found.module.path} ${nameOf(base)}`)) return;
    this.#seen.add(`${found.module.path} ${nameOf(base)}`);
    for (const node of found.nodes) this.#addMembers(found.module, owner, node);
  }

  #addType(module: Module, owner: string, type: unknown): void {
    const node = type as Node;
    if (node.type === "TSTypeLiteral") {
      // What stands in one line is part of what its owner's docstring speaks of.
      if (module.source.slice(node.start, node.end).includes("\n")) this.#addList(module, owner, node["members"]);
    } else if (node.type === "TSUnionType" || node.type === "TSIntersectionType")
      for (const each of node["types"] as readonly Node[]) this.#addType(module, owner, each);
    else if (node.type === "TSTypeOperator" || node.type === "TSArrayType")
      this.#addType(module, owner, node["typeAnnotation"] ?? node["elementType"]);
  }

  #addObject(module: Module, owner: string, init: unknown): void {
    let node = init as Node | undefined | null;
    while (node?.type === "TSAsExpression" || node?.type === "TSSatisfiesExpression") node = node["expression"] as Node;
    if (node?.type === "ObjectExpression") this.#addList(module, owner, node["properties"]);
  }

  #addList(module: Module, owner: string, members: unknown): void {
    const documented = new Map<string, boolean>();
    const starts = new Map<string, number>();
    for (const member of members as readonly Node[]) {
      if (!SIGNATURES.has(member.type) || member["kind"] === "constructor" || member["override"] === true) continue;
      const access = member["accessibility"];
      const key = member["key"] as Node;
      if (access === "private" || access === "protected" || key.type === "PrivateIdentifier") continue;
      const comment = this.#commentBefore(module, member);
      if (comment?.includes("@internal")) continue;
      const name = `${owner}.${module.source.slice(key.start, key.end)}${member["static"] === true ? " (static)" : ""}`;
      // A getter and its setter, and overloads, share one.
      documented.set(name, (documented.get(name) ?? false) || comment !== undefined);
      if (!starts.has(name)) starts.set(name, member.start);
      const annotation = (member["typeAnnotation"] as Node | null | undefined)?.["typeAnnotation"];
      if (annotation != null && member.type !== "MethodDefinition") this.#addType(module, name, annotation);
    }
    for (const [name, is] of documented) {
      this.members++;
      if (!is) this.#miss(module, starts.get(name) ?? 0, name);
    }
  }

  #isDocumented(module: Module, node: Node): boolean {
    return this.#commentBefore(module, node) !== undefined;
  }

  /** The docstring that stands directly before a node. */
  #commentBefore({ source, comments }: Module, node: Node): string | undefined {
    const comment = comments.findLast(({ end }) => end <= node.start);
    if (comment === undefined || comment.type !== "Block" || !String(comment["value"]).startsWith("*"))
      return undefined;
    return source.slice(comment.end, node.start).trim() === "" ? String(comment["value"]) : undefined;
  }

  #miss(module: Module, start: number, name: string): void {
    const line = module.source.slice(0, start).split("\n").length;
    this.missing.push({ file: relative(this.#root, module.path), line, name });
  }

  /** The declarations of a name, in its module or where that has it from. */
  #find(path: string, name: string): { module: Module; nodes: Node[] } | undefined {
    const module = this.#module(path);
    const nodes = module.body.filter((node) =>
      declares((node["declaration"] as Node | null | undefined) ?? node, name),
    );
    if (nodes.length > 0) return { module, nodes };
    for (const node of module.body) {
      const source = node["source"] as { value: string } | null | undefined;
      if (source == null || !source.value.startsWith(".")) continue;
      for (const specifier of (node["specifiers"] ?? []) as readonly Node[]) {
        const [here, there] = [
          specifier["exported"] ?? specifier["local"],
          specifier["imported"] ?? specifier["local"],
        ];
        if (nameOf(here) === name) return this.#find(join(dirname(path), source.value), nameOf(there));
      }
    }
    return undefined;
  }

  #module(path: string): Module {
    let module = this.#modules.get(path);
    if (module === undefined) {
      const source = readFileSync(path, "utf8");
      const { program, comments } = parseSync(path, source);
      module = { path, source, body: program.body as unknown as Node[], comments: comments as unknown as Node[] };
      this.#modules.set(path, module);
    }
    return module;
  }
}

function declares(node: Node, name: string): boolean {
  if (node.type === "VariableDeclaration")
    return (node["declarations"] as readonly Node[]).some((declared) => nameOf(declared["id"]) === name);
  return node["id"] != null && nameOf(node["id"]) === name;
}

function nameOf(node: unknown): string {
  const { name, value } = node as { name?: unknown; value?: unknown };
  return typeof name === "string" ? name : typeof value === "string" ? value : "";
}

/** Counts the whole package. */
export function countDocstrings(sdk: string): Count {
  const count = new DocstringCount(sdk);
  for (const door of globSync("src/doors/*.ts", { cwd: sdk }).sort()) count.addDoor(join(sdk, door));
  return count;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sdk = fileURLToPath(new URL(".", import.meta.url));
  const { exports, members, missing } = countDocstrings(sdk);
  for (const { file, line, name } of missing) console.log(`sdk/${file}:${line} ${name} has no docstring`);
  if (missing.length > 0) {
    console.log(`${missing.length} of ${exports} exports and ${members} members have no docstring.`);
    process.exitCode = 1;
  }
}
