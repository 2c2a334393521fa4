/** Is this a machine on which a lab can stand? Installs on Debian what is missing. */
import { spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment } from "./netns.ts";

/** Program that is looked for -> Debian package that has it. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  conntrack: "conntrack",
  ping: "iputils-ping",
  miniupnpd: "miniupnpd-nftables",
  upnpc: "miniupnpc",
  curl: "curl",
  script: "bsdutils",
  perl: "perl-base",
  bash: "bash",
  dash: "dash",
  turnserver: "coturn",
  "godot3-server": "godot3-server",
  iperf3: "iperf3",
  "redis-server": "redis-server",
  mosquitto: "mosquitto",
  nginx: "nginx-light",
  tayga: "tayga",
  dnsmasq: "dnsmasq-base",
  // Wine's Debian.
  mmdebstrap: "mmdebstrap",
  // The tests of pages beside the lab.
  chromium: "chromium",
};

/** What a lab needs of the kernel: namespaces, veth pairs, bridges, NAT by nftables. */
const PROBE = `
ip link add splabA type veth peer name splabB
ip link add splabC type bridge
nft -f - <<'END'
table inet probe {
  chain postrouting { type nat hook postrouting priority srcnat; masquerade; }
  chain forward { type filter hook forward priority filter; numgen random mod 100 < 5 drop; }
}
END
`;

/** Gives the reason why no lab can stand here, in one line; undefined when one can. */
export function prepare(): string | undefined {
  if (process.platform !== "linux") return `network namespaces need Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "network namespaces need root";
  let missing = missingPrograms();
  if (missing.length > 0) {
    if (!isDebian()) return `not Debian, and these programs are missing: ${missing.join(", ")}`;
    const failure = install(missing.map((program) => PACKAGES[program] ?? program));
    if (failure !== undefined) return failure;
    missing = missingPrograms();
    if (missing.length > 0) return `installed, but not found: ${missing.join(", ")}`;
  }
  const probe = spawnSync("unshare", ["--net", "sh", "-e", "-s"], {
    input: PROBE,
    encoding: "utf8",
    env: environment(),
  });
  if (probe.status === 0) return undefined;
  return `this kernel or container lets us make no network: ${oneLine(probe.stderr || String(probe.error))}`;
}

function missingPrograms(): string[] {
  const directories = (environment()["PATH"] ?? "").split(":").filter((directory) => directory !== "");
  return Object.keys(PACKAGES).filter((program) => !directories.some((directory) => isProgram(directory, program)));
}

function isProgram(directory: string, name: string): boolean {
  try {
    accessSync(join(directory, name), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isDebian(): boolean {
  try {
    return /^ID(?:_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

/** Only programs are wanted: while the packages are installed, Debian's policy-rc.d keeps their services from starting. */
function install(packages: readonly string[]): string | undefined {
  const policy = "/usr/sbin/policy-rc.d";
  let ours = false;
  try {
    writeFileSync(policy, "#!/bin/sh\nexit 101\n", { flag: "wx" });
    chmodSync(policy, 0o755);
    ours = true;
  } catch {
    // This machine has a policy already, or another run is installing.
  }
  try {
    const options = { encoding: "utf8", env: environment({ DEBIAN_FRONTEND: "noninteractive" }) } as const;
    const lock = ["-o", "DPkg::Lock::Timeout=300"];
    const update = spawnSync("apt-get", [...lock, "update"], options);
    const wanted = [...lock, "install", "-y", "--no-install-recommends", ...packages];
    const installed = spawnSync("apt-get", wanted, options);
    if (installed.status === 0) return undefined;
    const said = update.status === 0 ? installed.stderr : `${update.stderr} ${installed.stderr}`;
    return `could not install ${packages.join(", ")}: ${oneLine(said || String(installed.error))}`;
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ").slice(0, 300);
}
