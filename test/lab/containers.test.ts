// A game in a container behind Docker's NAT (published ports, 1:1), known by a name, and behind nginx with TLS: players come in over UDP.
import { readFileSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificate } from "../certificate.ts";
import { hasChromium } from "../interop/page-chromium.ts";
import { type Gateway, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAME = "game.example";
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

/** The block that the guide shows, for this certificate and this game. */
function nginxConfiguration(directory: string, upstream: string): string {
  const guide = readFileSync(joinPath(ROOT, "docs/containers-and-proxies.md"), "utf8");
  const block = /^```nginx\n([^]*?)^```$/m.exec(guide)?.[1] ?? "";
  const server = block
    .replaceAll(/\/etc\/letsencrypt\/live\/[\w.]+\//g, `${directory}/`)
    .replace("http://127.0.0.1:2567", `http://${upstream}:2567`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (each) => `${each}_temp_path ${directory};`,
  );
  return [
    `daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log;`,
    `events {} http { access_log off; ${temporary.join(" ")} ${server} }`,
  ].join("\n");
}

/** `docker run -p OUTSIDE:INSIDE/PROTOCOL…`: Docker's rules for published ports, on the machine that has the public address. */
async function publish(docker: Gateway, container: Host, ports: readonly [string, number, number][]): Promise<void> {
  const rules = ports.map(
    ([protocol, outside, inside]) =>
      `add rule inet filter prerouting fib daddr type local ${protocol} dport ${outside} dnat ip to ${container.address}:${inside}`,
  );
  const forward = "insert rule inet filter forward ct status dnat accept";
  // nginx listens on this very machine.
  const input = "insert rule inet filter input tcp dport 443 accept";
  await docker.exec(["nft", "-f", "-"], { input: [...rules, forward, input].join("\n") });
}

describeLab("a game in a container", () => {
  let lab: Lab;
  let docker: Gateway;
  let player: Host;
  let container: Host;
  let other: Host;

  const run = async (machine: Host, env: Record<string, string> = {}): Promise<LabProcess> => {
    const game = machine.spawn([process.execPath, program("host"), "--port", "2567", "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none", SALLYPORT_LAN: "none", NO_COLOR: "1", ...env },
    });
    await game.waitForLine(/"event":"listening"/);
    return game;
  };
  const join = async (url: string): Promise<Record<string, unknown>> => {
    const env = { NODE_EXTRA_CA_CERTS: joinPath(docker.directory, "fullchain.pem") };
    const joining = player.spawn([process.execPath, program("join"), url, "--seconds", "0.5", "--json"], {
      cwd: ROOT,
      env,
    });
    return await joining.waitForJson((value) => "connected" in value, 30_000);
  };
  const play = (url: string): Promise<Record<string, unknown>> =>
    player.run(new URL("./modules/browser.ts", import.meta.url), { address: player.address, url, seconds: 1 });

  beforeAll(async () => {
    lab = await Lab.create();
    docker = await lab.gateway({ nat: "port-restricted" });
    [container, other, player] = await Promise.all([docker.host(), docker.host(), lab.host()]);
    await publish(docker, container, [
      ["tcp", 2567, 2567],
      ["udp", 2567, 2567],
      ["udp", 12567, 12567],
    ]);
    await publish(docker, other, [
      ["tcp", 30000, 2567],
      ["udp", 30001, 2567],
      ["udp", 30002, 12567],
    ]);
    const hosts = `127.0.0.1 localhost\n${docker.wanAddress} ${NAME}\n`;
    for (const machine of [container, other, player]) machine.etc("hosts", hosts);
    const { key, cert } = makeCertificate({ names: `DNS:${NAME}` });
    writeFileSync(joinPath(docker.directory, "privkey.pem"), key);
    writeFileSync(joinPath(docker.directory, "fullchain.pem"), cert);
    const file = joinPath(docker.directory, "nginx.conf");
    writeFileSync(file, nginxConfiguration(docker.directory, container.address));
    docker.spawn(["nginx", "-p", docker.directory, "-c", file]);
    const announced = {
      SALLYPORT_ANNOUNCE_HOST: NAME,
      SALLYPORT_ANNOUNCE_PORT: "30001",
      SALLYPORT_ANNOUNCE_WEBRTC_PORT: "30002",
    };
    await Promise.all([run(container), run(other, announced)]);
    await docker.exec(["sh", "-c", "until curl -ks https://127.0.0.1/__healthcheck; do sleep 0.1; done"]);
  }, 60_000);
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  test("through nginx, on another port, by a name: UDP beside it", async () => {
    expect(await join(`https://${NAME}`)).toMatchObject({
      connected: true,
      path: "direct",
      remote: `${docker.wanAddress}:2567`,
    });
  });

  test("ports that are others outside, announced: UDP and TCP need not even be the same", async () => {
    expect(await join(`http://${NAME}:30000`)).toMatchObject({
      connected: true,
      path: "direct",
      remote: `${docker.wanAddress}:30001`,
    });
  });

  test.runIf(hasChromium)("a page by https and a name, through nginx: WebRTC", async () => {
    expect(await play(`https://${NAME}`)).toMatchObject({ kind: "direct", remote: `${docker.wanAddress}:12567` });
  });

  test.runIf(hasChromium)("a page by name, WebRTC's port being another outside: announced", async () => {
    expect(await play(`http://${NAME}:30000`)).toMatchObject({ kind: "direct", remote: `${docker.wanAddress}:30002` });
  });
});
