/**
 * A program for Windows, in place of the `ROUTE.EXE` that Wine lacks: it prints what stands in `C:\route.txt`. Written as bytes, since
 * no compiler for Windows is at hand; PE32+ with one section, laid out as the PE Format of Microsoft's documentation says.
 */
const FILE = "C:\\route.txt";
const IMPORTED = ["CreateFileA", "ReadFile", "GetStdHandle", "WriteFile", "ExitProcess"] as const;

const IMAGE_BASE = 0x1_4000_0000n;
/** In the file, and in memory. */
const HEADERS_SIZE = 0x200;
const SECTION = 0x1000;
const SECTION_SIZE = 0x1000;
const BUFFER_SIZE = 0x1_0000;
/** Places in the section. */
const AT = {
  code: 0,
  imports: 0x200,
  lookup: 0x240,
  addresses: 0x280,
  names: 0x2c0,
  library: 0x3c0,
  file: 0x3e0,
  count: 0x3f0,
};
const BUFFER = SECTION_SIZE;

export function routeExe(): Uint8Array {
  const image = Buffer.alloc(HEADERS_SIZE + SECTION_SIZE);
  headers(image);
  const section = image.subarray(HEADERS_SIZE);
  IMPORTED.forEach((name, index) => {
    // A hint and a name.
    const at = AT.names + index * 0x20;
    section.write(`${name}\0`, at + 2, "latin1");
    for (const table of [AT.lookup, AT.addresses]) section.writeBigUInt64LE(BigInt(SECTION + at), table + index * 8);
  });
  section.write("KERNEL32.dll\0", AT.library, "latin1");
  section.write(`${FILE}\0`, AT.file, "latin1");
  section.writeUInt32LE(SECTION + AT.lookup, AT.imports);
  section.writeUInt32LE(SECTION + AT.library, AT.imports + 12);
  section.writeUInt32LE(SECTION + AT.addresses, AT.imports + 16);
  section.set(code(), AT.code);
  return image;
}

function headers(image: Buffer): void {
  image.write("MZ", 0, "latin1");
  image.writeUInt32LE(0x40, 0x3c);
  image.write("PE\0\0", 0x40, "latin1");
  image.writeUInt16LE(0x8664, 0x44); // x64
  image.writeUInt16LE(1, 0x46); // sections
  image.writeUInt16LE(0xf0, 0x54); // of the optional header
  image.writeUInt16LE(0x22, 0x56); // executable, large addresses
  const optional = 0x58;
  image.writeUInt16LE(0x20b, optional); // PE32+
  image.writeUInt32LE(SECTION + AT.code, optional + 16); // entry point
  image.writeUInt32LE(SECTION, optional + 20);
  image.writeBigUInt64LE(IMAGE_BASE, optional + 24);
  image.writeUInt32LE(0x1000, optional + 32); // alignment in memory
  image.writeUInt32LE(0x200, optional + 36); // and in the file
  for (const at of [40, 48]) image.writeUInt16LE(6, optional + at); // Windows Vista and later
  image.writeUInt32LE(SECTION + SECTION_SIZE + BUFFER_SIZE, optional + 56);
  image.writeUInt32LE(HEADERS_SIZE, optional + 60);
  image.writeUInt16LE(3, optional + 68); // a console program
  for (const at of [72, 80, 88, 96]) image.writeBigUInt64LE(0x10_0000n, optional + at); // stack and heap
  image.writeUInt32LE(16, optional + 108); // directories
  image.writeUInt32LE(SECTION + AT.imports, optional + 120);
  image.writeUInt32LE(40, optional + 124);
  const table = optional + 0xf0;
  image.write(".text", table, "latin1");
  image.writeUInt32LE(SECTION_SIZE + BUFFER_SIZE, table + 8);
  image.writeUInt32LE(SECTION, table + 12);
  image.writeUInt32LE(SECTION_SIZE, table + 16);
  image.writeUInt32LE(HEADERS_SIZE, table + 20);
  image.writeUInt32LE(0xe000_0020, table + 36); // code that is read, written and run
}

function code(): Uint8Array {
  const bytes: number[] = [];
  const put = (...more: number[]): void => void bytes.push(...more);
  /** The rest of an instruction that ends with a displacement from the next one to a place in the section. */
  const to = (place: number): void => {
    const displacement = Buffer.alloc(4);
    displacement.writeInt32LE(place - (AT.code + bytes.length + 4));
    put(...displacement);
  };
  const call = (name: (typeof IMPORTED)[number]): void => {
    put(0xff, 0x15);
    to(AT.addresses + IMPORTED.indexOf(name) * 8);
  };
  put(0x48, 0x83, 0xec, 0x48); // sub rsp, 0x48
  put(0x48, 0x8d, 0x0d); // lea rcx, file
  to(AT.file);
  put(0xba, 0, 0, 0, 0x80); // mov edx, GENERIC_READ
  put(0x41, 0xb8, 3, 0, 0, 0); // mov r8d, FILE_SHARE_READ | FILE_SHARE_WRITE
  put(0x45, 0x31, 0xc9); // xor r9d, r9d
  put(0x48, 0xc7, 0x44, 0x24, 0x20, 3, 0, 0, 0); // mov qword [rsp+0x20], OPEN_EXISTING
  put(0x48, 0xc7, 0x44, 0x24, 0x28, 0, 0, 0, 0); // mov qword [rsp+0x28], 0
  put(0x48, 0xc7, 0x44, 0x24, 0x30, 0, 0, 0, 0); // mov qword [rsp+0x30], 0
  call("CreateFileA");
  const transfer = (name: "ReadFile" | "WriteFile"): void => {
    put(0x48, 0x89, 0xc1); // mov rcx, rax
    put(0x48, 0x8d, 0x15); // lea rdx, buffer
    to(BUFFER);
    if (name === "ReadFile")
      put(0x41, 0xb8, 0, 0, 1, 0); // mov r8d, BUFFER_SIZE
    else {
      put(0x44, 0x8b, 0x05); // mov r8d, [count]
      to(AT.count);
    }
    put(0x4c, 0x8d, 0x0d); // lea r9, count
    to(AT.count);
    put(0x48, 0xc7, 0x44, 0x24, 0x20, 0, 0, 0, 0); // mov qword [rsp+0x20], 0
    call(name);
  };
  transfer("ReadFile");
  put(0xb9, 0xf5, 0xff, 0xff, 0xff); // mov ecx, STD_OUTPUT_HANDLE
  call("GetStdHandle");
  transfer("WriteFile");
  put(0x31, 0xc9); // xor ecx, ecx
  call("ExitProcess");
  return Uint8Array.from(bytes);
}
