import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { createContainerThread } from '../../../shared/decode/stream/container-thread';
import { createWebmDemuxer } from '../../../shared/decode/containers/webm-demuxer';
import { AppError } from '../../../shared/errors/app-error';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { largestDifference, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';
import {
  block,
  clusters,
  element,
  lace,
  oggPackets,
  simpleBlock,
  track,
  unsigned,
  webmFile,
} from '../../support/webm-file';

const thread = createContainerThread();
const pool = createDecoderPool({ threads: 1 });
afterAll(() => Promise.all([thread.close(), pool.close()]));

async function heard(bytes: Uint8Array, chunkBytes = 1000): Promise<Float32Array> {
  const decoder = thread.open();
  const pieces: Float32Array[] = [];
  try {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      for await (const { samples } of decoder.push(bytes.slice(at, at + chunkBytes))) pieces.push(samples);
    }
    for await (const { samples } of decoder.finish()) pieces.push(samples);
  } finally {
    decoder.close();
  }
  return joined(...pieces);
}

function joined(...pieces: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function refusal(bytes: Uint8Array): AppError {
  const demuxer = createWebmDemuxer();
  try {
    const pieces = [...demuxer.push(bytes), ...demuxer.finish()];
    throw new Error(`It gave ${pieces.length} pieces.`);
  } catch (error) {
    return AppError.from(error);
  }
}

const silence = (seconds: number): Float32Array => new Float32Array(Math.round(seconds * 48_000));

describeWithFfmpeg('WebM as recorders send it', () => {
  const packetMs = 20;
  const wav = wavFile([swell(2, 48_000)], { sampleRate: 48_000, type: 'f32' });
  // Packets of one size, as fixed lacing wants them.
  const [head = wav, , ...more] = oggPackets(encode(wav, 'a.opus', '-c:a', 'libopus', '-vbr', 'off'));
  const packets = more.slice(0, 100);
  const opus = track(1, { head });
  type Timed = readonly [number, Buffer];
  const timed = packets.map((packet, index): Timed => [packetMs * index, simpleBlock(1, 0, packet)]);
  const grouped = (count: number, make: (frames: readonly Buffer[]) => Buffer): Timed[] =>
    packets.flatMap((_, index): Timed[] =>
      index % count === 0 ? [[packetMs * index, make(packets.slice(index, index + count))]] : [],
    );
  const shifted = (byMs: (index: number) => number): Timed[] =>
    timed.map(([ms, body], index) => [ms + byMs(index), body]);
  const file = (blocks: readonly Timed[]): Buffer => webmFile([opus], clusters(blocks));

  /** What the packets decode to; half of them gives `halfSamples`. */
  let plain: Float32Array;
  const half = packets.length / 2;
  const halfSamples = half * packetMs * 48 - head.readUInt16LE(10);
  beforeAll(async () => {
    plain = await heard(file(timed));
  });

  const void50 = element('ec', Buffer.alloc(50));
  const junk = Buffer.concat([
    void50,
    element('bf', Buffer.alloc(4)),
    element('1c53bb6b', Buffer.alloc(300)),
    element('1254c367', Buffer.alloc(70_000)),
  ]);
  const key = (bytes: number): Buffer => simpleBlock(2, 0, Buffer.alloc(bytes, 0xa3));
  const video = track(2, { codec: 'V_VP8' });
  const nothing = Buffer.alloc(0);

  const same: [what: string, make: () => Buffer][] = [
    [
      'clusters of known size',
      () =>
        webmFile(
          [opus],
          ...timed.map(([ms, body]) => element('1f43b675', Buffer.concat([unsigned('e7', ms), body]))),
        ),
    ],
    [
      'a size left open in one byte',
      () =>
        Buffer.from(file(timed).toString('hex').replaceAll('1f43b67501ffffffffffffff', '1f43b675ff'), 'hex'),
    ],
    [
      'Void, CRC, Cues and Tags anywhere',
      () =>
        webmFile(
          [void50, opus],
          junk,
          clusters(
            timed.map(([ms, body], index) => [
              ms,
              index % 20 === 0 ? Buffer.concat([junk, body, void50]) : body,
            ]),
          ),
          junk,
        ),
    ],
    ['Tags of unknown size', () => webmFile([opus], element('1254c367', void50, 'open'), clusters(timed))],
    [
      'tracks of unknown size',
      () => Buffer.concat([webmFile([]).subarray(0, -5), element('1654ae6b', opus, 'open'), clusters(timed)]),
    ],
    [
      'zeros between its elements',
      () =>
        webmFile(
          [opus],
          Buffer.alloc(1000),
          clusters(timed.map(([ms, body]) => [ms, Buffer.concat([body, Buffer.alloc(7)])])),
        ),
    ],
    ['Xiph lacing', () => file(grouped(5, (frames) => simpleBlock(1, 0, lace.xiph(frames), 0x82)))],
    ['EBML lacing', () => file(grouped(5, (frames) => simpleBlock(1, 0, lace.ebml(frames), 0x86)))],
    ['fixed-size lacing', () => file(grouped(5, (frames) => simpleBlock(1, 0, lace.fixed(frames), 0x84)))],
    [
      'lacing with an empty frame',
      () =>
        file(
          grouped(2, (frames) =>
            simpleBlock(1, 0, lace.xiph([frames[0]!, nothing, ...frames.slice(1)]), 0x82),
          ),
        ),
    ],
    [
      'block groups',
      () =>
        file(
          timed.map(([ms], index) => [
            ms,
            element(
              'a0',
              Buffer.concat([element('a1', block(1, 0, packets[index]!, 0)), unsigned('9b', 20)]),
            ),
          ]),
        ),
    ],
    [
      'pictures of 200 kB',
      () =>
        webmFile(
          [video, opus],
          clusters(
            timed.map(([ms, body], index) => [
              ms,
              index % 25 === 0 ? Buffer.concat([key(200_000), body]) : body,
            ]),
          ),
        ),
    ],
    [
      'pictures in block groups',
      () =>
        webmFile(
          [video, opus],
          clusters(
            timed.map(([ms, body], index) => [
              ms,
              index % 25 === 0
                ? Buffer.concat([
                    element(
                      'a0',
                      Buffer.concat([
                        element('a1', block(2, 0, Buffer.alloc(200_000), 0)),
                        unsigned('75a2', 1_000_000),
                      ]),
                    ),
                    body,
                  ])
                : body,
            ]),
          ),
        ),
    ],
    [
      'another codec’s track first',
      () => webmFile([track(2, { codec: 'A_VORBIS', head: Buffer.from('xx') }), opus], clusters(timed)),
    ],
    [
      'an Opus track first that is off',
      () =>
        webmFile(
          [track(3, { head, more: unsigned('88', 0) }), opus],
          clusters(timed.map(([ms, body]) => [ms, Buffer.concat([simpleBlock(3, 0, packets[0]!), body])])),
        ),
    ],
    [
      'an encrypted Opus track first',
      () =>
        webmFile(
          [track(3, { head, more: element('6d80', element('6240', element('5035', nothing))) }), opus],
          clusters(timed),
        ),
    ],
    [
      'an empty block',
      () =>
        file([...timed.slice(0, half), [packetMs * half, simpleBlock(1, 0, nothing)], ...timed.slice(half)]),
    ],
    [
      'a block without anything',
      () => file([...timed.slice(0, half), [packetMs * half, element('a3', nothing)], ...timed.slice(half)]),
    ],
    ['times that jitter by 40 ms', () => file(shifted((index) => (index % 3) * 40))],
    ['a clock joined after an hour', () => file(shifted(() => 3_600_000))],
    ['a clock that goes back', () => file(shifted((index) => (index < half ? 100_000 : 0)))],
    [
      'a beginning that was lost, and a recorder that starts anew',
      () => Buffer.concat([clusters(timed.slice(3)), file(timed)]),
    ],
    [
      'ticks of 0.1 ms',
      () =>
        webmFile(
          [opus],
          element('1549a966', unsigned('2ad7b1', 100_000)),
          clusters(timed.map(([ms, body]) => [10 * ms, body])),
        ),
    ],
  ];

  it.each([
    ['a cluster', Buffer.from('1f43b675', 'hex')],
    ['a block', timed[30]![1]],
  ])(
    'goes on behind the rest of another file that begins with %s and is cut in a block',
    async (_, begin) => {
      const whole = file(timed);
      const from = whole.indexOf(begin);
      const sound = await heard(Buffer.concat([whole.subarray(from, from + 3001), whole]));
      expect(largestDifference(sound, plain)).toBe(0);
      expect(refusal(whole.subarray(from)).message).toMatch(/first blob/);
      await expect(pool.decode(whole.subarray(from), { sampleRate: 48_000, maxSeconds: 60 })).rejects.toThrow(
        /first blob/,
      );
    },
  );

  it('is heard from its first packet to its last', () => {
    const seconds = (packets.length * packetMs) / 1000 - head.readUInt16LE(10) / 48_000;
    expect(plain).toHaveLength(Math.round(seconds * 48_000));
  });

  it.each(same)('%s: sounds as without', async (_, make) => {
    expect(largestDifference(await heard(make()), plain)).toBe(0);
  });

  const places: [what: string, make: () => Buffer, wanted: () => Float32Array][] = [
    [
      'a pause of 20 s',
      () => file(shifted((index) => (index < half ? 0 : 20_000))),
      () => joined(plain.subarray(0, halfSamples), silence(20), plain.subarray(halfSamples)),
    ],
    ['a track that begins 8 s late', () => file(shifted(() => 8_000)), () => joined(silence(8), plain)],
    [
      'a track that begins 90 s behind the picture',
      () => webmFile([video, opus], clusters([[0, key(500)], ...shifted(() => 90_000)])),
      () => joined(silence(90), plain),
    ],
    [
      'a hole behind a clock that went back',
      () => file(shifted((index) => (index < 20 ? 90_000 : index < half ? 0 : 3_000))),
      () => joined(silence(0), plain.subarray(0, halfSamples), silence(3), plain.subarray(halfSamples)),
    ],
    [
      'a restart whose clock starts anew',
      () => Buffer.concat([file(timed), file(shifted((index) => (index < half ? 0 : 2_000)))]),
      () => joined(plain, plain.subarray(0, halfSamples), silence(2), plain.subarray(halfSamples)),
    ],
  ];

  it.each(places)('%s keeps its place', async (_, make, wanted) => {
    expect(largestDifference(await heard(make()), wanted())).toBe(0);
  });

  it('padding is left out whether it stands before its block or behind', async () => {
    const padding = unsigned('75a2', 10_000_000);
    const last = element('a1', block(1, 0, packets.at(-1)!, 0));
    const at = packetMs * (packets.length - 1);
    for (const group of [
      [padding, last],
      [last, padding],
    ]) {
      const cut = file([...timed.slice(0, -1), [at, element('a0', Buffer.concat(group))]]);
      expect(largestDifference(await heard(cut), plain.subarray(0, -480))).toBe(0);
    }
  });

  it('keeps times where one packet in five is lost', async () => {
    const sound = await heard(file(timed.filter((_, index) => index % 5 !== 2)));
    expect(Math.abs(sound.length - plain.length)).toBeLessThanOrEqual(4800);
  });

  it('hears a track without a header, whose start it cannot cut', async () => {
    const bare = element('e1', unsigned('9f', 1));
    for (const options of [{ more: bare }, { head: nothing }, {}]) {
      const sound = await heard(webmFile([track(1, options)], clusters(timed)));
      expect(largestDifference(sound.subarray(head.readUInt16LE(10)), plain)).toBe(0);
    }
  });

  it.each([
    [
      'a pause of five hours',
      'undecodable-audio',
      /jumps by 18000 s/,
      () => file(shifted((index) => (index < half ? 0 : 18_000_000))),
    ],
    [
      'forty pauses of five minutes',
      'undecodable-audio',
      /pauses of up to/,
      () => file(shifted((index) => 300_000 * Math.min(40, index))),
    ],
    [
      'no track with Opus',
      'unsupported-media',
      /A_VORBIS, V_VP8/,
      () => webmFile([track(1, { codec: 'A_VORBIS' }), video], clusters(timed)),
    ],
    [
      'an encrypted track',
      'unsupported-media',
      /encrypted/,
      () =>
        webmFile(
          [track(1, { head, more: element('6d80', element('6240', element('5035', nothing))) })],
          clusters(timed),
        ),
    ],
    ['a beginning that was lost', 'undecodable-audio', /first blob/, () => clusters(timed)],
    [
      'a megabyte without a beginning',
      'undecodable-audio',
      /first blob/,
      () =>
        Buffer.concat([
          clusters([
            [0, key(700_000)],
            [1, key(700_000)],
          ]),
          file(timed),
        ]),
    ],
    [
      'a lacing that does not add up',
      'undecodable-audio',
      /lacing/,
      () => file([[0, simpleBlock(1, 0, Buffer.from([200, 255, 255]), 0x82)]]),
    ],
    [
      'six channels without a header',
      'undecodable-audio',
      /6 channels/,
      () => webmFile([track(1, { more: element('e1', unsigned('9f', 6)) })], clusters(timed)),
    ],
  ] as const)('refuses %s, in words', (_, code, words, make) => {
    const { code: told, message } = refusal(make());
    expect({ told, message }).toEqual({ told: code, message: expect.stringMatching(words) });
  });

  it('passes over a picture of 256 MiB in constant memory', () => {
    const demuxer = createWebmDemuxer();
    const begun = webmFile([video, opus], clusters([[0, nothing]]));
    const pictureHead = Buffer.from('a3081000000082000080', 'hex'); // a block of 2^28 bytes, of track 2
    expect([...demuxer.push(Buffer.concat([begun, pictureHead, Buffer.alloc(1)]))]).toHaveLength(1);
    const before = process.memoryUsage().arrayBuffers;
    const mebibyte = Buffer.alloc(2 ** 20, 0xa3);
    let given = 5;
    for (; given + mebibyte.length <= 2 ** 28; given += mebibyte.length) {
      expect([...demuxer.push(mebibyte)]).toEqual([]);
    }
    expect([...demuxer.push(mebibyte.subarray(0, 2 ** 28 - given))]).toEqual([]);
    expect([...demuxer.push(simpleBlock(1, 0, packets[0]!)), ...demuxer.finish()]).toEqual([
      { kind: 'packet', packet: new Uint8Array(packets[0]!), discardSamples: 0 },
    ]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20);
  });
});
