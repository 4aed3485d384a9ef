/**
 * TensorBoard's event file: a TFRecord file of `tensorflow.Event` messages, of which three fields and
 * scalar summaries are all that curves need (tensorflow/core/util/event.proto, framework/summary.proto).
 */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTimeSeconds: number;
  readonly step: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** The record that every event file starts with. */
export function encodeVersionEvent(wallTimeSeconds: number): Buffer {
  return frame(Buffer.concat([doubleField(1, wallTimeSeconds), bytesField(3, Buffer.from('brain.Event:2'))]));
}

export function encodeScalarEvent({ wallTimeSeconds, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), floatField(2, value)])),
  );
  return frame(
    Buffer.concat([
      doubleField(1, wallTimeSeconds),
      tagOf(2, 0),
      varint(step),
      bytesField(5, Buffer.concat(values)),
    ]),
  );
}

/** TFRecord: length, its checksum, the data, their checksum; all little-endian. */
function frame(data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length), 0);
  head.writeUInt32LE(maskedCrc32c(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(maskedCrc32c(data), 0);
  return Buffer.concat([head, data, tail]);
}

function tagOf(field: number, wireType: number): Buffer {
  return varint(field * 8 + wireType);
}

/** Protobuf's base-128 number, for whole numbers from 0 up. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tagOf(field, 1), bytes]);
}

function bytesField(field: number, value: Buffer): Buffer {
  return Buffer.concat([tagOf(field, 2), varint(value.length), value]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tagOf(field, 5), bytes]);
}

/** CRC-32C (Castagnoli); Node's zlib.crc32 has the other polynomial. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  return crc;
});

/** TFRecord stores checksums rotated and shifted, lest a checksum of checksums lose its worth. */
function maskedCrc32c(bytes: Uint8Array): number {
  const crc = ~bytes.reduce((sum, byte) => (sum >>> 8) ^ crcTable[(sum ^ byte) & 0xff]!, 0xffff_ffff);
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}
