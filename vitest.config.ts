import { defineConfig } from "vitest/config";

// unit: state machines and parsers, no network but loopback. interop: other people's programs and libraries, and a
// scripted gateway. lab: real routers' software in network namespaces (root on Linux).
// These tests stand on real timers, sockets and other people's programs, and share the machine with whatever else runs there. A
// second try is allowed, and a third in the lab, and told: `npm test` lists each test that needed one, since it is a bug of test
// or product to be found.
const retry = 1;
// Nothing is told to the network that this machine is on: the lab has networks of its own.
const env = { SALLYPORT_LAN: "none" };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], retry, env } },
      { test: { name: "interop", include: ["test/interop/**/*.test.ts"], retry, env, testTimeout: 30_000 } },
      {
        test: {
          name: "lab",
          retry: 2,
          include: ["test/lab/**/*.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
