/** What strangers send to a port: random bytes, and what almost is a packet of a protocol that is spoken there. */
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";

const MAX_BYTES = 9_300;
const KEEP_ALIVE = 4;
/** The first byte of a DTLS ClientHello's record. */
const DTLS_HANDSHAKE = 22;
const FIRST_CHANNEL = 0x4000;

export class HostileDatagrams {
  readonly #random: () => number;
  /** Real datagrams of a player, and requests with tokens that the server made: copied, bent and cut. */
  samples: readonly Uint8Array[] = [];

  /** @param random numbers from 0 to below 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  next(): Uint8Array {
    const kinds = [
      this.#bytes,
      this.#bent,
      this.#copy,
      this.#midGame,
      this.#stun,
      this.#check,
      this.#channelData,
      this.#dtls,
    ];
    return (kinds[this.#below(kinds.length)] ?? this.#bytes).call(this);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #bytes(length = this.#random() < 0.9 ? this.#below(1_400) : this.#below(MAX_BYTES + 1)): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 1 + this.#below(3)) bytes[index] = this.#below(256);
    return bytes;
  }

  /** A real one with one bit wrong, or one that ends too soon. */
  #bent(): Uint8Array {
    const data = this.#copy();
    if (this.#random() < 0.3) return data.subarray(0, this.#below(data.length + 1));
    const at = this.#below(data.length);
    data[at] = (data[at] ?? 0) ^ (1 << this.#below(8));
    return data;
  }

  #copy(): Uint8Array {
    return this.samples[this.#below(this.samples.length)]?.slice() ?? this.#bytes();
  }

  /** As if somebody who plays had another address now. */
  #midGame(): Uint8Array {
    const data = this.#bytes(18 + this.#below(300));
    data[0] = ((1 + this.#below(8)) << 4) | (KEEP_ALIVE + this.#below(3));
    return data;
  }

  #stun(): Uint8Array {
    const methods = [StunMethod.BINDING, StunMethod.ALLOCATE, this.#below(0x1000)];
    const classes = ["request", "indication", "success", "error"] as const;
    const builder = new StunBuilder(
      methods[this.#below(3)] ?? 1,
      classes[this.#below(4)] ?? "request",
      this.#bytes(12),
    );
    for (let left = this.#below(6); left > 0; left--) builder.add(this.#below(0x1_0000), this.#bytes(this.#below(64)));
    return Uint8Array.from(builder.build());
  }

  /** A connectivity check with a name that nobody gave. */
  #check(): Uint8Array {
    const builder = new StunBuilder(StunMethod.BINDING, "request", this.#bytes(12));
    builder.add(
      StunAttribute.USERNAME,
      Buffer.from(`${this.#below(1e9).toString(36)}:${this.#below(1e9).toString(36)}`),
    );
    builder.add(StunAttribute.PRIORITY, this.#bytes(4));
    builder.add(StunAttribute.ICE_CONTROLLING, this.#bytes(8));
    builder.add(StunAttribute.MESSAGE_INTEGRITY, this.#bytes(20));
    return Uint8Array.from(builder.build());
  }

  #channelData(): Uint8Array {
    const data = this.#bytes(4 + this.#below(400));
    new DataView(data.buffer).setUint16(0, FIRST_CHANNEL + this.#below(0x1000));
    if (this.#random() < 0.5) new DataView(data.buffer).setUint16(2, data.length - 4);
    return data;
  }

  #dtls(): Uint8Array {
    const data = this.#bytes(13 + this.#below(300));
    data.set([DTLS_HANDSHAKE, 0xfe, 0xfd]);
    return data;
  }
}
