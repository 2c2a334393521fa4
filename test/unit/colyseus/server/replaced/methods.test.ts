import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalDriver, matchMaker, Room, Server } from "@colyseus/core";
import { RedisDriver } from "@colyseus/redis-driver";
import { describe, expect, test } from "vitest";
import {
  type MethodOwner,
  REPLACED_METHODS,
  type ReplacedMethod,
  replaceMethod,
} from "../../../../../sdk/src/colyseus/server/replaced/methods.ts";

const FOLDER = fileURLToPath(new URL("../../../../../sdk/src/colyseus/server/replaced/", import.meta.url));
const replaced = Object.entries(REPLACED_METHODS) as [ReplacedMethod, { owner: MethodOwner; file: string }][];

describe("what we replace, Colyseus has:", () => {
  /** The monitor, which is not installed here, is alone in bringing its method with it. */
  const owners: Record<Exclude<MethodOwner, "monitor">, object[]> = {
    Server: [Server.prototype],
    driver: [LocalDriver.prototype, RedisDriver.prototype],
    controller: [matchMaker.controller],
    Room: [Room.prototype],
  };
  const methods = replaced.flatMap(([method, { owner }]) => (owner === "monitor" ? [] : [{ method, owner }]));

  test.each(methods)("$method of its $owner", ({ method, owner }) => {
    // Optional in 0.18: Redis' driver persists instead.
    const all = method === "insert" ? [LocalDriver.prototype] : owners[owner];
    for (const each of all) expect(each).toHaveProperty(method, expect.any(Function));
  });
});

test("each method is replaced in the file that the list names, and nowhere else", () => {
  const sources = readdirSync(FOLDER).filter((file) => file !== "methods.ts");
  for (const [method, { file }] of replaced) {
    const naming = sources.filter((source) => readFileSync(join(FOLDER, source), "utf8").includes(`"${method}"`));
    expect(naming, method).toEqual([file]);
  }
  expect(new Set(sources)).toEqual(new Set(replaced.map(([, { file }]) => file)));
});

describe("a replaced method", () => {
  class Driver {
    readonly stored = ["one"];
    query(): string[] {
      return this.stored;
    }
  }
  const addTwo = (driver: object): (() => void) =>
    replaceMethod(driver, "query", (original) => () => [...(original() as string[]), "two"]);

  test("is back where it was when the replacement is undone", () => {
    const driver = new Driver();
    const undo = addTwo(driver);
    expect(driver.query()).toEqual(["one", "two"]);
    undo();
    expect(driver.query()).toEqual(["one"]);
    expect(Object.hasOwn(driver, "query")).toBe(false);
  });

  test("that others have replaced after us calls the original from then on", () => {
    const driver = new Driver();
    const undo = addTwo(driver);
    const ours = driver.query.bind(driver);
    driver.query = () => [...ours(), "three"];
    undo();
    expect(driver.query()).toEqual(["one", "three"]);
  });

  test("that does not exist is not made up", () => {
    const driver = {};
    const undo = addTwo(driver);
    expect(driver).not.toHaveProperty("query");
    undo();
    expect(driver).not.toHaveProperty("query");
  });
});
