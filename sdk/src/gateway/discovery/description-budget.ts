/** How many descriptions are fetched in one search: a flood of answers must not cause a flood of requests. No I/O. */

/** Of the default gateway: those that it calls a gateway's, and others. */
const MAX_OF_DEFAULT_GATEWAY = 8;
/** Of one device else. A router may have a description for each version of its device. */
const MAX_OF_DEVICE = 4;
/** Of all devices that call themselves gateways. */
const MAX_NAMED = 16;
/** Of all devices that may be anything: a house may be full of them. */
const MAX_OTHERS = 64;

export interface Answer {
  responder: string;
  /** The default gateway answered. */
  isDefault: boolean;
  /** The answer names a gateway, or a service that maps ports. */
  isNamed: boolean;
}

/** Routers have a budget of their own, beside any number of other devices. */
export class DescriptionBudget {
  readonly #spent = new Map<string, number>();

  /** Whether the description of an answer is to be fetched. True counts. */
  take({ responder, isDefault, isNamed }: Answer): boolean {
    const kind = isNamed ? "named" : "other";
    const limits: [key: string, limit: number][] = isDefault
      ? [[`default ${kind}`, MAX_OF_DEFAULT_GATEWAY]]
      : [
          [kind, isNamed ? MAX_NAMED : MAX_OTHERS],
          [`${kind} ${responder}`, MAX_OF_DEVICE],
        ];
    if (limits.some(([key, limit]) => (this.#spent.get(key) ?? 0) >= limit)) return false;
    for (const [key] of limits) this.#spent.set(key, (this.#spent.get(key) ?? 0) + 1);
    return true;
  }
}
