import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { rejection } from '../support/rejection';
import { largestDifference, randomNumbers, swell } from '../support/signals';
import { wavFile } from '../support/wav-file';

const pool = createDecoderPool({ threads: 2 });
afterAll(() => pool.close());
const request = { sampleRate: 16_000, maxSeconds: 60 };
const wav = wavFile([swell(1, 44_100)], { sampleRate: 44_100, type: 's16' });

/** ID3v2.4: four times seven bits of length. */
function id3(bytes: number, { footer = false, stated = bytes } = {}): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (stated >> shift) & 0x7f);
  const head = Buffer.from([0x49, 0x44, 0x33, 4, 0, footer ? 0x10 : 0, ...size]);
  const foot = Buffer.from(head);
  foot.write('3DI');
  return Buffer.concat([head, Buffer.alloc(bytes), ...(footer ? [foot] : [])]);
}

function ape(bytes: number): Buffer {
  const head = Buffer.alloc(32);
  head.write('APETAGEX');
  head.writeUInt32LE(2000, 8);
  head.writeUInt32LE(bytes + 32, 12);
  head.writeUInt32LE(0xa0000000, 20);
  const foot = Buffer.from(head);
  foot.writeUInt32LE(0x80000000, 20);
  return Buffer.concat([head, Buffer.alloc(bytes, 'x'), foot]);
}

const id3v1 = Buffer.alloc(128);
id3v1.write('TAGa title');
const lyrics = Buffer.from('LYRICSBEGININD00002110LYR00006words!000044LYRICS200');
const http = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nServer: a\r\n\r\n');
const random = randomNumbers(3);
const junk = Buffer.from(Array.from({ length: 30_000 }, () => Math.floor(random() * 254)));

const leads: readonly [string, Buffer][] = [
  ['an ID3 tag', id3(300)],
  ['an ID3 tag with a footer', id3(300, { footer: true })],
  ['three ID3 tags', Buffer.concat([id3(10), id3(0), id3(5000)])],
  ['an ID3 tag with padding that it does not count', Buffer.concat([id3(300), Buffer.alloc(40_000)])],
  ['an ID3 tag that states too much', id3(300, { stated: 200_000_000 })],
  ['an APE tag', ape(300)],
  ['song texts, an ID3v1 and an ID3v2 tag', Buffer.concat([lyrics, id3v1, id3(20)])],
  ['the head of an HTTP answer', http],
  [
    'the head of an Icecast answer, and a tag',
    Buffer.concat([Buffer.from('ICY 200 OK\r\nicy-br:64\r\n\r\n'), id3(9)]),
  ],
  ['20 kB of zeros', Buffer.alloc(20_000)],
  ['3 MB of zeros', Buffer.alloc(3_000_000)],
  ['other bytes', junk],
];

describeWithFfmpeg('a recording', () => {
  const bases = new Map<string, { bytes: Buffer; samples: Float32Array }>();
  beforeAll(async () => {
    for (const [name, args] of [
      ['a.wav', []],
      ['a.flac', []],
      ['a.mp3', []],
      ['a.ogg', ['-c:a', 'libvorbis']],
      ['a.opus', ['-c:a', 'libopus']],
      ['a.m4a', []],
      ['a.aac', []],
      ['a.webm', ['-c:a', 'libopus']],
    ] as const) {
      const bytes = name === 'a.wav' ? wav : encode(wav, name, ...args);
      bases.set(name, { bytes, samples: (await pool.decode(bytes, request)).samples });
    }
  });

  it.each(leads)('may stand behind %s', async (name, lead) => {
    // Those that ffmpeg decodes are slow: a few of the leads do for them.
    const isForAll = /^(an ID3 tag|3 MB of zeros|other bytes)$/.test(name);
    const tried = [...bases].filter(([base]) => isForAll || !/m4a|aac|webm/.test(base));
    const results = await Promise.all(
      tried.map(async ([base, { bytes, samples }]) => {
        const heard = await pool.decode(Buffer.concat([lead, bytes]), request);
        return [base, largestDifference(heard.samples, samples)];
      }),
    );
    expect(results).toEqual(tried.map(([base]) => [base, 0]));
  });

  it.each([
    ['an ID3v1 tag', id3v1],
    ['an APE tag', ape(300)],
    ['song texts and an ID3v1 tag', Buffer.concat([lyrics, id3v1])],
    ['zeros', Buffer.alloc(5000)],
    ['other bytes', junk],
  ])('may stand in front of %s', async (_, trailer) => {
    const names = ['a.wav', 'a.flac', 'a.mp3', 'a.ogg', 'a.opus'];
    const results = await Promise.all(
      names.map(async (name) => {
        const { bytes, samples } = bases.get(name)!;
        const heard = await pool.decode(Buffer.concat([bytes, trailer]), request);
        return [name, largestDifference(heard.samples, samples)];
      }),
    );
    expect(results).toEqual(names.map((name) => [name, 0]));
  });

  it.each(['skip', 'free', 'pnot', 'PICT', 'uuid', 'wide', 'junk'])(
    'in MP4 may begin with a box %s',
    async (type) => {
      const { bytes, samples } = bases.get('a.m4a')!;
      const box = Buffer.alloc(32);
      box.writeUInt32BE(32, 0);
      box.write(type, 4, 'latin1');
      // The index counts bytes from the file's start: as many boxes go in front of the sound as a box of
      // its own takes.
      const moved = encode(wav, 'b.mov', '-movflags', 'faststart');
      const { samples: heard, source } = await pool.decode(Buffer.concat([box, shifted(moved, 32)]), request);
      expect(source).toMatchObject({ format: 'mp4', codec: 'aac' });
      expect(largestDifference(heard, samples)).toBeLessThan(1e-3);
      expect(bytes.length).toBeGreaterThan(0);
    },
  );

  it.each([
    ['NULs behind its type', [0x42, 0x82, 0x88, ...Buffer.from('webm\0\0\0\0')]],
    ['a void element first', [0xec, 0x84, 0, 0, 0, 0, 0x42, 0x82, 0x84, ...Buffer.from('webm')]],
    [
      'a large void element first',
      [0xec, 0x41, 0xf4, ...Buffer.alloc(500), 0x42, 0x82, 0x84, ...Buffer.from('webm')],
    ],
    ['no type', []],
  ])('in WebM may have a header with %s', async (_, header) => {
    const { bytes, samples } = bases.get('a.webm')!;
    const headBytes = 5 + (bytes[4]! & 0x7f);
    const rest = bytes.subarray(
      bytes[4] === 0x01 ? 12 + Number(bytes.readBigUInt64BE(4) & 0xffffffffffffffn) : headBytes,
    );
    const size = Buffer.alloc(2);
    size.writeUInt16BE(0x4000 | header.length);
    const file = Buffer.concat([Buffer.from([0x1a, 0x45, 0xdf, 0xa3]), size, Buffer.from(header), rest]);
    const heard = await pool.decode(file, request);
    expect(heard.source.codec).toBe('opus');
    expect(largestDifference(heard.samples, samples)).toBe(0);
  });

  it('is not looked for in files of other kinds', async () => {
    const { bytes } = bases.get('a.mp3')!;
    for (const beginning of ['PK\x03\x04', '%PDF-1.7', '\x89PNG\r\n\x1a\n', '<html>', '#EXTM3U\n']) {
      const file = Buffer.concat([Buffer.from(beginning, 'latin1'), Buffer.alloc(300), bytes]);
      expect((await rejection(pool.decode(file, request))).code).toBe('unsupported-media');
    }
  });
});

/** The offsets in the index of an MP4, moved by so many bytes. */
function shifted(file: Buffer, by: number): Buffer {
  const copy = Buffer.from(file);
  const table = copy.indexOf('stco');
  const entries = copy.readUInt32BE(table + 8);
  for (let entry = 0; entry < entries; entry += 1) {
    const at = table + 12 + 4 * entry;
    copy.writeUInt32BE(copy.readUInt32BE(at) + by, at);
  }
  return copy;
}
