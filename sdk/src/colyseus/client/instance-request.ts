import http from "node:http";
import https from "node:https";
import { INSTANCE_PATH } from "../wire/instance.ts";
import { instanceIn } from "./instance-reply.ts";
import { serverURL } from "./seat-request.ts";
import { ServerGoneError } from "./session-way.ts";

/** Asks which run of the server answers. @throws ServerGoneError where nobody listens */
export type AskInstance = (roomURL: URL, signal: AbortSignal) => Promise<string>;

const MAX_REPLY_BYTES = 4096;

/** Over a connection of its own: one that was kept says nothing of who is there now. */
export function askInstance(roomURL: URL, signal: AbortSignal): Promise<string> {
  const url = serverURL(roomURL, INSTANCE_PATH);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? https : http).get(url, { agent: false, signal });
    request.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ECONNREFUSED" ? new ServerGoneError(error.message, { cause: error }) : error);
    });
    request.once("response", (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_REPLY_BYTES) response.destroy(new Error("the reply is too long"));
      });
      response.once("error", reject);
      response.once("end", () => {
        try {
          resolve(instanceIn(response.statusCode ?? 0, JSON.parse(text)));
        } catch (error) {
          reject(error);
        }
      });
    });
  });
}
