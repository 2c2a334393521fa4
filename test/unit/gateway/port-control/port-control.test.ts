import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isNatPmpEpochValid, isPcpEpochValid } from "../../../../sdk/src/gateway/port-control/epoch.ts";
import {
  decodeNatPmpResponse,
  encodeAddressRequest,
  encodeNatPmpMap,
} from "../../../../sdk/src/gateway/port-control/nat-pmp-message.ts";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  encodePcpMap,
} from "../../../../sdk/src/gateway/port-control/pcp-message.ts";
import {
  NAT_PMP_RETRANSMIT,
  PCP_RETRANSMIT,
  Retransmission,
} from "../../../../sdk/src/gateway/port-control/retransmit.ts";
import { mutated, RUNS } from "../fuzz.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const NONCE = bytes("0102030405060708090a0b0c");
/** Lifetime 7200, epoch 100, UDP 7777 -> 7778 at 11.0.1.2. */
const PCP_MAP_RESPONSE = bytes(
  "02810000 00001c20 00000064 000000000000000000000000 0102030405060708090a0b0c 11000000 1e61 1e62 00000000000000000000ffff0b000102",
);
const NAT_PMP_ADDRESS_RESPONSE = bytes("0080 0000 00000064 0b000102");
const NAT_PMP_MAP_RESPONSE = bytes("0081 0000 00000064 1e61 1e62 00001c20");

describe("PCP (RFC 6887)", () => {
  test("MAP request, byte for byte", () => {
    const request = encodePcpMap({
      nonce: NONCE,
      transport: "udp",
      internalPort: 7777,
      externalPort: 7777,
      externalAddress: "0.0.0.0",
      clientAddress: "192.168.1.10",
      lifetimeSeconds: 7200,
      preferFailure: true,
    });
    expect(hex(request)).toBe(
      hex(
        bytes(
          "02010000 00001c20 00000000000000000000ffffc0a8010a 0102030405060708090a0b0c 11000000 1e611e61 00000000000000000000ffff00000000 02000000",
        ),
      ),
    );
  });

  test("ANNOUNCE request", () => {
    expect(hex(encodePcpAnnounce("192.168.1.10"))).toBe("020000000000000000000000000000000000ffffc0a8010a");
  });

  test("MAP response", () => {
    expect(decodePcpResponse(PCP_MAP_RESPONSE)).toEqual({
      opcode: "map",
      result: 0,
      lifetimeSeconds: 7200,
      epoch: 100,
      map: { nonce: NONCE, transport: "udp", internalPort: 7777, externalPort: 7778, externalAddress: "11.0.1.2" },
    });
  });

  test("requests, other versions, lengths that are no multiple of four, and cut ones are no responses", () => {
    const request = PCP_MAP_RESPONSE.slice();
    request[1] = 1;
    expect(decodePcpResponse(request)).toBeUndefined();
    const version = PCP_MAP_RESPONSE.slice();
    version[0] = 1;
    expect(decodePcpResponse(version)).toBeUndefined();
    expect(decodePcpResponse(PCP_MAP_RESPONSE.subarray(0, 59))).toBeUndefined();
    expect(decodePcpResponse(PCP_MAP_RESPONSE.subarray(0, 56))).toBeUndefined();
    expect(decodePcpResponse(new Uint8Array(1104))).toBeUndefined();
  });
});

describe("NAT-PMP (RFC 6886)", () => {
  test("requests, byte for byte", () => {
    expect(hex(encodeAddressRequest())).toBe("0000");
    expect(
      hex(encodeNatPmpMap({ transport: "tcp", internalPort: 7777, externalPort: 80, lifetimeSeconds: 7200 })),
    ).toBe("000200001e61005000001c20");
  });

  test("responses", () => {
    expect(decodeNatPmpResponse(NAT_PMP_ADDRESS_RESPONSE)).toEqual({
      opcode: "address",
      result: 0,
      epoch: 100,
      externalAddress: "11.0.1.2",
    });
    expect(decodeNatPmpResponse(NAT_PMP_MAP_RESPONSE)).toEqual({
      opcode: "map",
      result: 0,
      epoch: 100,
      transport: "udp",
      internalPort: 7777,
      externalPort: 7778,
      lifetimeSeconds: 7200,
    });
    // What a NAT-PMP gateway answers to PCP.
    expect(decodeNatPmpResponse(bytes("0080 0001 00000064"))).toEqual({ opcode: "error", result: 1, epoch: 100 });
    expect(decodeNatPmpResponse(bytes("0080 0000 00000064"))).toBeUndefined();
    expect(decodeNatPmpResponse(encodeAddressRequest())).toBeUndefined();
  });
});

test("mutated packets: nothing throws, and what is read is within its ranges", () => {
  fc.assert(
    fc.property(
      mutated(PCP_MAP_RESPONSE, NAT_PMP_ADDRESS_RESPONSE, NAT_PMP_MAP_RESPONSE, new Uint8Array(24)),
      (packet) => {
        const pcp = decodePcpResponse(packet);
        if (pcp?.map) {
          expect(pcp.map.nonce.length).toBe(12);
          expect(pcp.map.externalPort).toBeLessThanOrEqual(65535);
          expect(pcp.map.externalAddress).not.toBe("");
        }
        decodeNatPmpResponse(packet);
      },
    ),
    { numRuns: RUNS },
  );
});

test("addresses of requests: 16 bytes, IPv4-mapped for IPv4, without the zone (RFC 6887 section 5)", () => {
  const clientAddress = (text: string): string => hex(encodePcpAnnounce(text).subarray(8));
  expect(clientAddress("10.1.2.3")).toBe("00000000000000000000ffff0a010203");
  expect(clientAddress("2001:db8::1")).toBe("20010db8000000000000000000000001");
  expect(clientAddress("fe80::1%eth0")).toBe("fe800000000000000000000000000001");
  for (const none of ["router.local", "010.1.2.3", ""]) expect(() => encodePcpAnnounce(none)).toThrow(RangeError);
});

describe("epochs", () => {
  test("PCP, section 8.5", () => {
    expect(isPcpEpochValid(100, 160, 60)).toBe(true);
    expect(isPcpEpochValid(100, 99, 0)).toBe(true);
    expect(isPcpEpochValid(100, 98, 0)).toBe(false);
    // The server's clock may be off by a sixteenth and two seconds.
    expect(isPcpEpochValid(0, 1000, 940)).toBe(true);
    expect(isPcpEpochValid(0, 1000, 930)).toBe(false);
    expect(isPcpEpochValid(0, 930, 1000)).toBe(false);
    expect(isPcpEpochValid(5000, 3, 60)).toBe(false);
  });

  test("NAT-PMP, section 3.6", () => {
    expect(isNatPmpEpochValid(100, 160, 60)).toBe(true);
    // 7/8 of a hundred seconds, and two more.
    expect(isNatPmpEpochValid(100, 186, 100)).toBe(true);
    expect(isNatPmpEpochValid(100, 185, 100)).toBe(false);
    expect(isNatPmpEpochValid(5000, 3, 60)).toBe(false);
  });
});

describe("retransmission", () => {
  function timesOf(options: typeof NAT_PMP_RETRANSMIT, random = 0.5): number[] {
    const sent: number[] = [];
    const retransmission = new Retransmission(options, 0, () => random);
    for (let now = 0; now < 200_000; now += 1) {
      const due = retransmission.poll(now);
      if (due === "over") return sent;
      if (due === "send") sent.push(now);
    }
    return sent;
  }

  test("NAT-PMP: 250 ms, doubled, nine times", () => {
    expect(timesOf(NAT_PMP_RETRANSMIT)).toEqual([0, 250, 750, 1750, 3750, 7750, 15_750, 31_750, 63_750]);
  });

  test("PCP: pauses grow to 3 s and vary by a tenth", () => {
    expect(timesOf(PCP_RETRANSMIT).slice(0, 6)).toEqual([0, 250, 750, 1750, 3750, 6750]);
    expect(timesOf(PCP_RETRANSMIT, 0)[1]).toBe(225);
    expect(timesOf(PCP_RETRANSMIT, 1)[1]).toBe(275);
  });
});
