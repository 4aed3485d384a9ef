/** Writes WebM as recorders do, for tests: elements, tracks, blocks. */

/** The packets of a small Ogg file, its two headers in front. */
export function oggPackets(ogg: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let part: Buffer[] = [];
  for (let at = 0; ogg.toString('latin1', at, at + 4) === 'OggS';) {
    const lacing = ogg.subarray(at + 27, at + 27 + ogg[at + 26]!);
    at += 27 + lacing.length;
    for (const length of lacing) {
      part.push(ogg.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(part));
      part = [];
    }
  }
  return packets;
}

const size = (length: number, bytes: number): Buffer => {
  const written = Buffer.alloc(8);
  written.writeBigUInt64BE(BigInt(length) | (1n << BigInt(7 * bytes)));
  return written.subarray(8 - bytes);
};

/** An element; its size is written in as few bytes as will do, or left open. */
export function element(id: string, body: Uint8Array, known: 'known' | 'open' = 'known'): Buffer {
  let bytes = 1;
  while (body.length >= 2 ** (7 * bytes) - 1) bytes += 1;
  const head = known === 'open' ? Buffer.from('01ffffffffffffff', 'hex') : size(body.length, bytes);
  return Buffer.concat([Buffer.from(id, 'hex'), head, body]);
}

export function unsigned(id: string, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(value));
  return element(id, body);
}

const ebmlHeader = element('1a45dfa3', element('4282', Buffer.from('webm')));

export interface TrackOptions {
  readonly codec?: string;
  readonly head?: Uint8Array;
  readonly more?: Uint8Array;
}

export function track(number: number, { codec = 'A_OPUS', head, more }: TrackOptions = {}): Buffer {
  return element(
    'ae',
    Buffer.concat([
      unsigned('d7', number),
      unsigned('83', codec.startsWith('V') ? 1 : 2),
      element('86', Buffer.from(codec)),
      ...(head === undefined ? [] : [element('63a2', head)]),
      ...(more === undefined ? [] : [more]),
    ]),
  );
}

export function block(number: number, ticks: number, payload: Uint8Array, flags = 0x80): Buffer {
  const head = Buffer.from([0x80 | number, 0, 0, flags]);
  head.writeInt16BE(ticks, 1);
  return Buffer.concat([head, payload]);
}

export const simpleBlock = (...parts: Parameters<typeof block>): Buffer => element('a3', block(...parts));

/** Clusters of a block each, so that any times can be told. */
export function clusters(blocks: readonly (readonly [ticks: number, blocks: Uint8Array])[]): Buffer {
  return Buffer.concat(
    blocks.map(([ticks, body]) => element('1f43b675', Buffer.concat([unsigned('e7', ticks), body]), 'open')),
  );
}

/** A whole file: header, segment, tracks and what follows. */
export function webmFile(tracks: readonly Uint8Array[], ...rest: readonly Uint8Array[]): Buffer {
  const listed = element('1654ae6b', Buffer.concat(tracks));
  return Buffer.concat([ebmlHeader, element('18538067', Buffer.concat([listed, ...rest]), 'open')]);
}

/** Several frames in a block, behind the byte that counts them. */
export const lace = {
  xiph(frames: readonly Uint8Array[]): Buffer {
    const sizes = frames
      .slice(0, -1)
      .flatMap(({ length }) => [...new Array<number>(Math.floor(length / 255)).fill(255), length % 255]);
    return Buffer.concat([Buffer.from([frames.length - 1, ...sizes]), ...frames]);
  },
  ebml(frames: readonly Uint8Array[]): Buffer {
    const sizes = frames.slice(0, -1).map(({ length }, index) => {
      const before = frames[index - 1]?.length;
      return size(before === undefined ? length : length - before + 2 ** 13 - 1, 2);
    });
    return Buffer.concat([Buffer.from([frames.length - 1]), ...sizes, ...frames]);
  },
  fixed: (frames: readonly Uint8Array[]): Buffer =>
    Buffer.concat([Buffer.from([frames.length - 1]), ...frames]),
};
