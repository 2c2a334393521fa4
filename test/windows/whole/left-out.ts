/** What of the unit and interop tests does not run on Windows, and why. All else does. */
const TERMINAL = "presses keys in a terminal of Unix, by process groups; game.test.ts has a scaffolded game on Windows";
const CHROMIUM = "drives this machine's Chromium: its pages are the same, whatever the host's system";
const REDIS = "starts redis-server, which Windows has not";
const COTURN = "starts coturn, which Windows has not";

/** Files of `test/interop`. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  "godot-udp": "starts Debian's headless Godot",
  "lobby-redis": REDIS,
  page: CHROMIUM,
  "public-mosquitto": "starts Debian's mosquitto",
  "public-page": CHROMIUM,
  "rendezvous-redis": REDIS,
  "stun-coturn": COTURN,
  template: TERMINAL,
  "template-examples": TERMINAL,
  "template-lobby": TERMINAL,
  "turn-coturn": COTURN,
  "webrtc-chromium": CHROMIUM,
};

/** Unit tests, which skip themselves. */
export const SKIPPED: Readonly<Record<string, string>> = {
  "it is what the shell allowed": "Windows has no limit of descriptors that a shell sets",
  "nothing throws in a process that has no descriptor left, and the LAN is heard again":
    "Windows has no limit of descriptors that a shell sets",
  "a socket alone has the buffer of a server": "ss tells of a socket's buffer, on Linux alone",
};
