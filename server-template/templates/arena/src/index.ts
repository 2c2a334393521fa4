import { announce } from "./announce.ts";
import { own, server, transport } from "./app.config.ts";

const port = Number(process.env.PORT || 2567);

try {
  await server.listen(port);
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} is in use by another program. End that program, or choose another PORT in .env.`,
    // Windows reserves ranges for Hyper-V, WSL and Docker.
    EACCES: `Port ${port} is reserved by the system. Choose another PORT in .env.`,
  };
  console.error(reasons[code ?? ""] ?? `The server cannot listen on port ${port}: ${message}`);
  process.exit(1);
}
console.log(`Play in this machine's browser: http://localhost:${port}`);
console.log(`How it goes, for you alone: ${own.link(port, "/metrics")}`);
await announce(transport, port);
