import { defineConfig } from "vitest/config";

// unit: state machines and parsers, no network but loopback. interop: other people's programs and libraries, and a
// scripted gateway. lab: real routers' software in network namespaces (root on Linux).
// A unit test that fails once has found a bug, of the test or of the product. interop and the lab stand on the timing of other
// people's programs, and share the machine with whatever else runs there: they have a second try, the lab a third, and `npm test`
// lists each test that needed one. windows: Wine in such namespaces.
// Limits of time are generous: they end a test that hangs, and none waits for them.
const expect = { poll: { timeout: 30_000, interval: 5 } };
const testTimeout = 60_000;
const hookTimeout = 60_000;
// Nothing is told to the network that this machine is on: the lab has networks of its own.
const env = { SALLYPORT_LAN: "none" };

const FIREFOX = "test/lab/firefox.test.ts";
const ATTACKS = "test/lab/attacks/*.test.ts";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          expect,
          env,
          testTimeout,
          hookTimeout,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "interop",
          retry: 1,
          include: ["test/interop/**/*.test.ts"],
          expect,
          env,
          testTimeout,
          hookTimeout,
          // One would be the default on two cores, and stand still half of the time.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "lab",
          retry: 2,
          expect,
          include: ["test/lab/**/*.test.ts"],
          exclude: [FIREFOX, ATTACKS],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Most of the time these wait for a router's or a NAT's timer; each has networks of its own.
          maxWorkers: 4,
          // Projects of one group, and so of one number of workers, share them; the groups follow each other.
          sequence: { groupOrder: 1 },
          // Of the tests that say they are concurrent.
          maxConcurrency: 2,
        },
      },
      // The part of the lab that keeps the processors busy: beside others that do, and not beside those that time routers.
      {
        test: {
          name: "attacks",
          retry: 2,
          expect,
          include: [ATTACKS],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      // Firefox takes a minute and 300 MB: `npm run test:firefox`.
      {
        test: {
          name: "firefox",
          expect,
          include: [FIREFOX],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      // Wine in the lab: what `npm test` looks at, and all of it (`npm run test:windows`).
      {
        test: {
          name: "windows",
          retry: 1,
          expect,
          include: ["test/windows/smoke.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "windows-whole",
          expect,
          include: ["test/windows/whole/*.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 1_200_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
