/** Ports whose programs give more than a game to anybody who reaches them. */
import type { TunnelPort } from "../tunnel/wire/ports.ts";

const BY_PORT: Readonly<Record<string, string>> = {
  "21/tcp": "FTP: a guest may reach files of this computer",
  "22/tcp": "SSH: a guest may try passwords of this computer",
  "23/tcp": "Telnet: a guest may try passwords of this computer",
  "139/tcp": "Windows file sharing: a guest may reach files of this computer",
  "445/tcp": "Windows file sharing: a guest may reach files of this computer",
  "2375/tcp": "Docker: a guest may run programs on this computer",
  "3306/tcp": "MySQL: a guest may try its passwords, and some set-ups trust this computer",
  "3389/tcp": "Remote Desktop: a guest may try passwords of this computer",
  "5432/tcp": "PostgreSQL: a guest may try its passwords, and some set-ups trust this computer",
  "5900/tcp": "VNC: a guest may see and steer this computer's screen",
  "6000/tcp": "X11: a guest may see and steer this computer's screen",
  "6379/tcp": "Redis: it has no password as a rule, and runs commands",
  "8212/tcp": "Palworld's REST interface: a guest with its password administrates the server",
  "9200/tcp": "Elasticsearch: it has no password as a rule",
  "11211/tcp": "Memcached: it has no password",
  "25575/tcp": "Minecraft's RCON: a guest with its password administrates the server",
  "27015/tcp": "the RCON of Source games: a guest with its password administrates the server; 27015/udp is the game",
  "27017/tcp": "MongoDB: it has no password as a rule",
};

/** A sentence for each shared port that deserves one. */
export function warningsOf(ports: readonly TunnelPort[]): string[] {
  return ports.flatMap(({ port, protocol }) => {
    const what = BY_PORT[`${port}/${protocol}`];
    return what === undefined ? [] : [`Port ${port}/${protocol} is ${what}.`];
  });
}
