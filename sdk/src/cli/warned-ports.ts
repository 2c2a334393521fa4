/** Ports whose programs give more than a game to whoever reaches them. */
import type { TunnelPort } from "../tunnel/wire/ports.ts";

const BY_PORT: Readonly<Record<string, string>> = {
  "21/tcp": "FTP: whoever joins may reach files of this computer",
  "22/tcp": "SSH: whoever joins may try passwords of this computer",
  "23/tcp": "Telnet: whoever joins may try passwords of this computer",
  "139/tcp": "Windows file sharing: whoever joins may reach files of this computer",
  "445/tcp": "Windows file sharing: whoever joins may reach files of this computer",
  "2375/tcp": "Docker: whoever joins may run programs on this computer",
  "3306/tcp": "MySQL: whoever joins may try its passwords, and some set-ups trust this computer",
  "3389/tcp": "Remote Desktop: whoever joins may try passwords of this computer",
  "5432/tcp": "PostgreSQL: whoever joins may try its passwords, and some set-ups trust this computer",
  "5900/tcp": "VNC: whoever joins may see and steer this computer's screen",
  "6000/tcp": "X11: whoever joins may see and steer this computer's screen",
  "6379/tcp": "Redis: it has no password as a rule, and runs commands",
  "8212/tcp": "Palworld's REST interface: whoever has its password administrates the server",
  "9200/tcp": "Elasticsearch: it has no password as a rule",
  "11211/tcp": "Memcached: it has no password",
  "25575/tcp": "Minecraft's RCON: whoever has its password administrates the server",
  "27015/tcp": "the RCON of Source games: whoever has its password administrates the server; 27015/udp is the game",
  "27017/tcp": "MongoDB: it has no password as a rule",
};

/** A sentence for each shared port that deserves one. */
export function warningsOf(ports: readonly TunnelPort[]): string[] {
  return ports.flatMap(({ port, protocol }) => {
    const what = BY_PORT[`${port}/${protocol}`];
    return what === undefined ? [] : [`Port ${port}/${protocol} is ${what}.`];
  });
}
