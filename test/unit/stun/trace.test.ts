import { expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { StunBindings } from "../../../sdk/src/stun/binding.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { stunBinding } from "../../../sdk/src/stun/client.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { traced } from "../traced.ts";

const SERVER = { address: "192.0.2.1", port: 3478 };
const OTHER = { address: "192.0.2.2", port: 3480 };

function answer(request: Buffer, fill: (builder: StunBuilder) => StunBuilder, kind: "success" | "error"): Buffer {
  return fill(new StunBuilder(StunMethod.BINDING, kind, request.subarray(8, 20)))
    .fingerprint()
    .build();
}

function ask(bindings: StunBindings<string>, now = 0): Buffer {
  bindings.ask("", SERVER, now);
  return bindings.pollTransmit()?.data ?? Buffer.alloc(20);
}

test("a trace tells what each server said, or that it said nothing", () => {
  const lines = traced("stun");
  const bindings = new StunBindings<string>();
  const mapped = answer(
    ask(bindings),
    (builder) => builder.xorAddress(A.XOR_MAPPED_ADDRESS, { address: "203.0.113.9", port: 40_000 }),
    "success",
  );
  bindings.receive(mapped, SERVER.address, SERVER.port, 20);
  bindings.pollResult(20);
  const elsewhere = answer(
    ask(bindings, 100),
    (builder) => builder.errorCode(300, "Try Alternate").address(A.ALTERNATE_SERVER, OTHER),
    "error",
  );
  bindings.receive(elsewhere, SERVER.address, SERVER.port, 120);
  bindings.pollResult(120);
  const refused = answer(
    bindings.pollTransmit()?.data ?? Buffer.alloc(20),
    (builder) => builder.errorCode(500, "Out of\u001b[2J order"),
    "error",
  );
  bindings.receive(refused, OTHER.address, OTHER.port, 130);
  bindings.pollResult(130);
  ask(bindings, 200);
  bindings.handleTimeout(5000);
  bindings.pollResult(5000);
  expect(lines).toEqual([
    "request server=192.0.2.1:3478",
    "answer server=192.0.2.1:3478 mapped=203.0.113.9:40000",
    "request server=192.0.2.1:3478",
    "redirected server=192.0.2.1:3478 to=192.0.2.2:3480",
    "request server=192.0.2.2:3480",
    'refused server=192.0.2.2:3480 code=500 reason="Out of\\u001b[2J order"',
    "request server=192.0.2.1:3478",
    "timeout server=192.0.2.1:3478",
  ]);
});

test("a name without an address is told, and what is no server is not repeated", async () => {
  const lines = traced("stun");
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  await stunBinding(socket, ["stun:name.invalid", "stuns:user:secret@example.org"]);
  expect(lines).toContain(
    'not-asked failure=unresolvable reason="The name name.invalid has no address: check the name and the DNS."',
  );
  expect(lines).toContain("not-asked failure=invalid-server");
});
