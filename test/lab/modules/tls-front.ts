// TLS in front of a server of this machine that has none.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createServer } from "node:tls";

const { port, to, key, cert } = JSON.parse(process.argv[2] ?? "{}") as {
  port: number;
  to: number;
  key: string;
  cert: string;
};
createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (outside) => {
  const inside = connect(to, "127.0.0.1");
  outside.pipe(inside).pipe(outside);
  outside.on("error", () => inside.destroy());
  inside.on("error", () => outside.destroy());
}).listen(port, () => console.log("listening"));
