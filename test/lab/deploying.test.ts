/**
 * docs/deploying.md on a Debian of its own: a mount namespace in which /etc and /var/lib are written to copies, and /opt is empty. The
 * commands of the page run there, `useradd` and `cp` themselves; what would ask the network or systemd has a stand-in. That of `systemctl`
 * starts what the unit file says, as its user, and fails as systemd does where there is no such user.
 */
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codeBlocks } from "../interop/docs-blocks.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** In place of what is not here. */
const STAND_INS: Record<string, string> = {
  sudo: 'exec "$@"',
  "apt-get": 'case "$*" in *nodejs*) mount --bind "$NODE" /usr/bin/node;; esac',
  curl: "echo true",
  // The packages of the workspace, as `npm ci` would bring them.
  npm: 'mkdir -p node_modules sdk; mount --bind "$ROOT/node_modules" node_modules; mount --bind "$ROOT/sdk" sdk',
  systemctl: `unit=/etc/systemd/system/$3.service
value() { sed -n "s/^$1=//p" "$unit"; }
user=$(value User)
id "$user" >/dev/null || exit 217
mkdir -p "/var/lib/$(value StateDirectory)"; chown "$user:" "/var/lib/$(value StateDirectory)"
cd "$(value WorkingDirectory)"
setpriv --reuid "$user" --regid "$user" --init-groups env -i $(value Environment) $(value ExecStart) >"$OUT" 2>&1 &
echo $! >"$OUT.pid"`,
};

const SETUP = `set -eu
mount -t tmpfs tmpfs /opt
for folder in etc var/lib; do
  mkdir -p "$WORK/$folder" "$WORK/work/$folder"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$WORK/$folder,workdir=$WORK/work/$folder" "/$folder"
done
`;

const LOOK = `
answer=$(/usr/bin/node -e 'const ask = () => fetch("http://127.0.0.1:2567/").then(async (r) => console.log(r.status, (await r.text()).match(/<title>.*?</)?.[0]), () => setTimeout(ask, 50)); ask()')
echo "ANSWER $answer"
pid=$(cat "$OUT.pid")
echo "USER $(ps -o user= -p "$pid")"
kill -TERM "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
echo "LEFT $(ls -A /var/lib/my-game | wc -l)"
`;

describeLab("A game on a server", () => {
  test("the page's commands, as written, start the game as its own user", async () => {
    const page = codeBlocks("docs/deploying.md").filter(({ language, why }) => language === "sh" && why === undefined);
    const [prepare, start] = [page[0]?.code ?? "", page[1]?.code ?? ""];
    expect(prepare).toContain("useradd");
    expect(start).toContain("systemctl");
    await using lab = await Lab.create();
    const host = await lab.host();
    const bin = join(host.directory, "bin");
    mkdirSync(bin);
    for (const [name, script] of Object.entries(STAND_INS)) {
      writeFileSync(join(bin, name), `#!/bin/bash\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const game = join(host.directory, "my-game");
    cpSync(join(ROOT, "server-template/templates/arena"), game, { recursive: true });
    writeFileSync(join(game, ".env"), "SALLYPORT_VIA=none\nSALLYPORT_LAN=none\n");
    const script = join(host.directory, "deploy.sh");
    // The copy that rsync would make.
    writeFileSync(script, `${SETUP}${prepare}cp -r "$WORK/my-game/." /opt/my-game/\n${start}${LOOK}`);
    const env = {
      WORK: host.directory,
      ROOT,
      NODE: process.execPath,
      OUT: join(host.directory, "journal"),
      PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`,
    };
    const { code, stdout, output } = await host.exec(["unshare", "--mount", "bash", script], { env });
    expect(code, output).toBe(0);
    expect(stdout).toMatch(/^ANSWER 200 <title>my-game</m);
    expect(stdout).toMatch(/^USER my-game$/m);
    expect(stdout).toMatch(/^LEFT 0$/m);
  });
});
