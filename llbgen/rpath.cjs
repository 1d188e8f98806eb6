// Writes a copy of a program that looks for its shared libraries in a folder of its own before all
// others, whatever LD_LIBRARY_PATH says, and that has no effect on what it starts:
// node rpath.cjs PROGRAM COPY PATH
//
// The copy has a DT_RPATH of PATH, such as $ORIGIN/../lib. Its dynamic section and its strings move to
// the end of the file, into a segment that takes the place of a note.
// https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
'use strict';
const fs = require('fs');

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const DT_NULL = 0n;
const DT_STRTAB = 5n;
const DT_STRSZ = 10n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const page = 0x10000n; // the largest of the architectures

const [program, copy, folder] = process.argv.slice(2);
fs.writeFileSync(copy, withPath(fs.readFileSync(program), folder), { mode: 0o755 });

function withPath(file, wanted) {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) throw new Error(`${program} is not a 64-bit ELF program`);
  const headers = programHeaders(file);
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return file; // it is linked statically and needs no libraries
  const entries = dynamicEntries(file, dynamic);
  const strings = stringTable(file, headers, entries);
  const former = entries.filter(([tag]) => tag === DT_RPATH || tag === DT_RUNPATH).map(([, value]) => stringAt(strings, Number(value)));
  const path = Buffer.from(`${[wanted, ...former].join(':')}\0`);

  const end = headers.reduce((max, { type, address, memory }) => (type === PT_LOAD && address + memory > max ? address + memory : max), 0n);
  const address = align(end);
  const offset = align(BigInt(file.length));
  const table = entries.filter(([tag]) => tag !== DT_RPATH && tag !== DT_RUNPATH && tag !== DT_NULL);
  const size = BigInt(table.length + 2) * 16n;
  const moved = table.map(([tag, value]) => {
    if (tag === DT_STRTAB) return [tag, address + size];
    return tag === DT_STRSZ ? [tag, BigInt(strings.length + path.length)] : [tag, value];
  });
  const segment = Buffer.concat([writeEntries([...moved, [DT_RPATH, BigInt(strings.length)], [DT_NULL, 0n]]), strings, path]);
  const patched = Buffer.concat([file, Buffer.alloc(Number(offset) - file.length), segment]);
  const last = headers.filter(({ type }) => type === PT_LOAD).pop();
  const note = headers.find(({ type, at }) => type === PT_NOTE && at > last.at);
  if (!note) throw new Error(`${program} has no note after its segments`);
  writeHeader(patched, note.at, { type: PT_LOAD, flags: 6, offset, address, size: BigInt(segment.length), alignment: page });
  writeHeader(patched, dynamic.at, { type: PT_DYNAMIC, flags: 6, offset, address, size, alignment: 8n });
  return patched;
}

function programHeaders(file) {
  const first = Number(file.readBigUInt64LE(32));
  return Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = first + i * file.readUInt16LE(54);
    return {
      at, type: file.readUInt32LE(at), offset: file.readBigUInt64LE(at + 8), address: file.readBigUInt64LE(at + 16),
      size: file.readBigUInt64LE(at + 32), memory: file.readBigUInt64LE(at + 40),
    };
  });
}

function dynamicEntries(file, { offset, size }) {
  const entries = [];
  for (let at = Number(offset); at < Number(offset + size); at += 16) {
    entries.push([file.readBigUInt64LE(at), file.readBigUInt64LE(at + 8)]);
    if (entries[entries.length - 1][0] === DT_NULL) break;
  }
  return entries;
}

function stringTable(file, headers, entries) {
  const value = (tag) => entries.find(([t]) => t === tag)[1];
  const start = value(DT_STRTAB);
  const within = headers.find(({ type, address, size }) => type === PT_LOAD && start >= address && start < address + size);
  const offset = Number(start - within.address + within.offset);
  return file.subarray(offset, offset + Number(value(DT_STRSZ)));
}

function stringAt(strings, at) {
  return strings.toString('latin1', at, strings.indexOf(0, at));
}

function writeEntries(entries) {
  const table = Buffer.alloc(entries.length * 16);
  entries.forEach(([tag, value], i) => {
    table.writeBigUInt64LE(tag, i * 16);
    table.writeBigUInt64LE(value, i * 16 + 8);
  });
  return table;
}

function writeHeader(file, at, { type, flags, offset, address, size, alignment }) {
  file.writeUInt32LE(type, at);
  file.writeUInt32LE(flags, at + 4);
  [offset, address, address, size, size, alignment].forEach((value, i) => file.writeBigUInt64LE(value, at + 8 + i * 8));
}

function align(value) {
  return (value + page - 1n) / page * page;
}
