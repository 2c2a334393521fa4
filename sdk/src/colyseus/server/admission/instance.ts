import { randomBytes } from "node:crypto";

/** The run of this server: sessions of another one are gone. */
export const INSTANCE: string = randomBytes(16).toString("hex");
