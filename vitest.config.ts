import { defineConfig } from "vitest/config";

// unit: state machines and parsers, no network but loopback. interop: other people's programs and libraries, and a
// scripted gateway. lab: real routers' software in network namespaces (root on Linux).
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      { test: { name: "interop", include: ["test/interop/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "lab",
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
