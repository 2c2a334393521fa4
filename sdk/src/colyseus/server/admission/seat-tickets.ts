import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Admission, SeatName } from "./admission.ts";
import type { Caller } from "./caller.ts";

/** Colyseus hands on a request's headers, and nothing else of it. The guard writes this one, whoever sent one before. */
const HEADER = "x-sallyport-ticket";
const tickets = new Map<string, SeatTicket>();

/** A request for a seat that was let through to the matchmaker. */
export class SeatTicket {
  readonly admission: Admission;
  readonly caller: Caller | undefined;
  #isSettled = false;

  constructor(admission: Admission, caller: Caller | undefined) {
    this.admission = admission;
    this.caller = caller;
  }

  /** @param lifetimeMs how long the room keeps the seat */
  reserved(seat: SeatName, lifetimeMs: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.admission.reserved(this.caller, seat, performance.now() + lifetimeMs);
  }

  /** The request is over; without a seat it has cost nothing. */
  end(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.admission.notReserved(this.caller, performance.now());
  }
}

/** Marks a request, until it has been answered. */
export function giveTicket(request: IncomingMessage, response: ServerResponse, ticket: SeatTicket): void {
  const id = randomUUID();
  request.headers[HEADER] = id;
  tickets.set(id, ticket);
  response.once("close", () => {
    tickets.delete(id);
    ticket.end();
  });
}

/** Takes off what somebody wrote that is not us. */
export function takeOffTicket(request: IncomingMessage): void {
  delete request.headers[HEADER];
}

/** The ticket of the request that has these headers. It is taken off, so that no room sees it. */
export function ticketOf(headers: Headers): SeatTicket | undefined {
  const id = headers.get(HEADER);
  if (id === null) return undefined;
  headers.delete(HEADER);
  return tickets.get(id);
}
