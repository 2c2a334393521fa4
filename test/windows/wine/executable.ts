/**
 * Programs for Windows, written as bytes, since no compiler for Windows is at hand: PE32+ with one section, laid out as the PE Format of
 * Microsoft's documentation says.
 */
const IMAGE_BASE = 0x1_4000_0000n;
/** In the file, and in memory. */
const HEADERS_SIZE = 0x200;
const SECTION = 0x1000;
const SECTION_SIZE = 0x1000;
const BUFFER_SIZE = 0x1_0000;
/** Bytes for each name and text. */
const SLOT = 0x20;
/** Places in the section. */
const AT = {
  code: 0,
  imports: 0x200,
  lookup: 0x240,
  addresses: 0x280,
  library: 0x2c0,
  count: 0x2f0,
  names: 0x300,
  texts: 0x400,
};
const BUFFER = SECTION_SIZE;

export interface ProgramOptions<Import extends string, Text extends string> {
  /** Functions of KERNEL32.dll that it calls, 7 at most. */
  readonly imports: readonly Import[];
  /** Texts that it names, of up to 31 bytes. */
  readonly texts: Readonly<Record<Text, string>>;
  /** Writes its instructions. */
  readonly code: (assembler: Assembler<Import, Text>) => void;
}

/** Instructions one after another: bytes, and what depends on where things are. */
export class Assembler<Import extends string, Text extends string> {
  readonly bytes: number[] = [];
  readonly #imports: readonly Import[];
  readonly #texts: readonly Text[];

  constructor(imports: readonly Import[], texts: readonly Text[]) {
    this.#imports = imports;
    this.#texts = texts;
  }

  put(...bytes: readonly number[]): void {
    this.bytes.push(...bytes);
  }

  /** A number of four bytes. */
  long(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    this.put(...bytes);
  }

  /** Calls a function: arguments in rcx, rdx, r8, r9 and from [rsp+0x20], its value in rax. */
  call(name: Import): void {
    this.put(0xff, 0x15);
    this.#to(AT.addresses + this.#imports.indexOf(name) * 8);
  }

  /** The end of an instruction that names a text. */
  text(name: Text): void {
    this.#to(AT.texts + this.#texts.indexOf(name) * SLOT);
  }

  /** The end of an instruction that names a number of four bytes. */
  count(): void {
    this.#to(AT.count);
  }

  /** The end of an instruction that names {@link BUFFER_SIZE} bytes. */
  buffer(): void {
    this.#to(BUFFER);
  }

  /** A displacement from the next instruction to a place in the section. */
  #to(place: number): void {
    this.long(place - (AT.code + this.bytes.length + 4));
  }
}

export function executable<Import extends string, Text extends string>({
  imports,
  texts,
  code,
}: ProgramOptions<Import, Text>): Uint8Array {
  const image = Buffer.alloc(HEADERS_SIZE + SECTION_SIZE);
  headers(image);
  const section = image.subarray(HEADERS_SIZE);
  imports.forEach((name, index) => {
    // A hint and a name.
    const at = AT.names + index * SLOT;
    section.write(`${name}\0`, at + 2, "latin1");
    for (const table of [AT.lookup, AT.addresses]) section.writeBigUInt64LE(BigInt(SECTION + at), table + index * 8);
  });
  section.write("KERNEL32.dll\0", AT.library, "latin1");
  section.writeUInt32LE(SECTION + AT.lookup, AT.imports);
  section.writeUInt32LE(SECTION + AT.library, AT.imports + 12);
  section.writeUInt32LE(SECTION + AT.addresses, AT.imports + 16);
  const names = Object.keys(texts) as Text[];
  names.forEach((name, index) => section.write(`${texts[name]}\0`, AT.texts + index * SLOT, "latin1"));
  const assembler = new Assembler(imports, names);
  code(assembler);
  section.set(assembler.bytes, AT.code);
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
