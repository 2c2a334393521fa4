/** Self-signed certificates, by openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  /** PEM. */
  key: string;
  cert: string;
}

export interface CertificateOptions {
  /** As openssl writes them: `DNS:game.example,IP:127.0.0.1`. */
  names: string;
  /** `20300101000000Z`. Default: from now on, for a day. */
  from?: string;
  until?: string;
}

/** What `openssl ca` wants, which alone sets dates. */
const AUTHORITY = `
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = optional
`;

export function makeCertificate({ names, from, until }: CertificateOptions): Certificate {
  const cwd = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
  const openssl = (command: string): void => {
    execFileSync("openssl", command.split(" "), { cwd, stdio: "ignore" });
  };
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj /CN=test";
  try {
    if (from === undefined || until === undefined) {
      openssl(`req -x509 ${key} -days 1 -addext subjectAltName=${names} -out cert.pem`);
    } else {
      writeFileSync(join(cwd, "authority"), AUTHORITY);
      writeFileSync(join(cwd, "names"), `subjectAltName=${names}\n`);
      writeFileSync(join(cwd, "index"), "");
      writeFileSync(join(cwd, "serial"), "01");
      openssl(`req -new ${key} -out request.pem`);
      const files = "-config authority -extfile names -keyfile key.pem -in request.pem -out cert.pem";
      openssl(`ca -batch -selfsign -notext ${files} -startdate ${from} -enddate ${until}`);
    }
    return { key: readFileSync(join(cwd, "key.pem"), "utf8"), cert: readFileSync(join(cwd, "cert.pem"), "utf8") };
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** One for localhost, from now on. */
export function certificate(): Certificate {
  return makeCertificate({ names: "DNS:localhost,IP:127.0.0.1" });
}
