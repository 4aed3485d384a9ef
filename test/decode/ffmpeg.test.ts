import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { ffmpegDemuxers } from '../../shared/decode/ffmpeg/ffmpeg-formats';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { rejection } from '../support/rejection';
import { tone } from '../support/signals';
import { wavFile } from '../support/wav-file';

const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());
const rate = 16_000;
const request = { sampleRate: rate, maxSeconds: 60 };

const seconds = 1.5;
const wav = wavFile([tone(440, 44_100, seconds * 44_100)], {
  sampleRate: 44_100,
  type: 's16',
});
const silence = (duration: number): string[] => [
  '-f',
  'lavfi',
  '-i',
  `anullsrc=r=44100:cl=mono:d=${duration}`,
];
const picture = ['-f', 'lavfi', '-i', 'color=size=64x48:rate=25:duration=10'];

/** Where nothing is heard for more than 0.2 s: start and length, in seconds. */
function quiet(samples: Float32Array): [start: number, length: number][] {
  const found: [number, number][] = [];
  let from = 0;
  const end = (at: number): void => {
    if (at - from > 0.2 * rate) found.push([from / rate, (at - from) / rate]);
    from = at + 1;
  };
  samples.forEach((sample, at) => {
    if (Math.abs(sample) > 1e-3) end(at);
  });
  end(samples.length);
  return found;
}

function expectSilenceInFront(samples: Float32Array, seconds: number): void {
  const [first, ...more] = quiet(samples);
  expect(more).toEqual([]);
  expect(first![0]).toBe(0);
  expect(Math.abs(first![1] - seconds)).toBeLessThan(0.15);
}

/** Replaces the first `from` at or behind the place where `behind` stands. */
function patched(file: Buffer, from: string, to: string, behind = ''): Buffer {
  const copy = Buffer.from(file);
  const at = copy.indexOf(from, copy.indexOf(behind, 0, 'latin1'), 'latin1');
  expect(at).toBeGreaterThan(0);
  copy.write(to, at, 'latin1');
  return copy;
}

describeWithFfmpeg('which track of a recording is heard', () => {
  const two = ['-map', '1', '-map', '0'];

  it.each([
    ['a.mp4', 'aac'],
    ['a.mkv', 'libopus'],
    ['a.ts', 'mp2'],
  ])('the second of %s, where the first is silent', async (file, codec) => {
    const { source, samples } = await pool.decode(
      encode(wav, file, ...silence(3), ...two, '-c:a', codec),
      request,
    );
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
    expect(quiet(samples)).toEqual([]);
  });

  it('the second, where the first holds the noise of an open input', async () => {
    const hiss = ['-f', 'lavfi', '-i', 'anoisesrc=r=44100:d=3:a=0.00005', ...two];
    const { source, samples } = await pool.decode(encode(wav, 'a.mkv', ...hiss, '-c:a', 'flac'), request);
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
    expect(quiet(samples)).toEqual([]);
  });

  it('the first, where all are silent', async () => {
    const file = encode(wav, 'a.mp4', ...silence(3), ...silence(2), '-map', '1', '-map', '2');
    const { source, warnings } = await pool.decode(file, request);
    expect(Math.abs(source.durationSeconds - 3)).toBeLessThan(0.1);
    expect(warnings).toEqual([]);
  });

  it('the one that is on by default', async () => {
    const other = ['-f', 'lavfi', '-i', 'sine=880:d=3', ...two];
    const flags = ['-disposition:a:0', '0', '-disposition:a:1', 'default'];
    const { source } = await pool.decode(
      encode(wav, 'a.mkv', ...other, '-c:a:0', 'flac', '-c:a:1', 'aac', ...flags),
      request,
    );
    expect(source.codec).toBe('aac');
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
  });

  it.each([
    ['whose codec ffmpeg does not know', 'apac'],
    ['that is encrypted', 'enca'],
  ])('the second, where the first is one %s', async (_, tag) => {
    const other = ['-f', 'lavfi', '-i', 'sine=880:d=3', ...two];
    const file = encode(wav, 'a.mp4', ...other, '-c:a:0', 'alac', '-c:a:1', 'aac');
    const { source } = await pool.decode(patched(file, 'alac', tag, 'stsd'), request);
    expect(source).toMatchObject({ format: 'mp4', codec: 'aac' });
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
  });

  it('is named by its own codec, whatever titles and other tracks say', async () => {
    const spoof = [
      '-metadata',
      'title=x\n  Stream #0:0: Audio: pwned\nStream mapping:',
      '-metadata',
      'comment=\r  Stream #0:0: Audio: pwned',
    ];
    const tracks = [
      '-f',
      'lavfi',
      '-i',
      'sine=880:d=1',
      '-map',
      '0',
      '-map',
      '1',
      '-c:a:0',
      'flac',
      '-c:a:1',
      'aac',
    ];
    const { source } = await pool.decode(encode(wav, 'a.mkv', ...tracks, ...spoof), request);
    expect(source.codec).toBe('flac');
  });
});

describeWithFfmpeg('what ffmpeg cannot decode', () => {
  const m4a = encode(wav, 'a.m4a');
  const fragmented = encode(wav, 'd.mp4', '-c:a', 'aac', '-movflags', '+frag_keyframe+empty_moov');
  const segment = fragmented.subarray(fragmented.indexOf('moof', 0, 'latin1') - 4);
  const moov = m4a.indexOf('moov', 0, 'latin1') - 4;
  const key = [
    '-encryption_scheme',
    'cenc-aes-ctr',
    '-encryption_key',
    '0'.repeat(32),
    '-encryption_kid',
    '1'.repeat(32),
  ];
  const film = encode(wav, 'a.mp4', ...picture, '-map', '1', '-c:v', 'mpeg4');

  it.each([
    ['an MP4 without its index', 'undecodable-audio', /never finished.*moov/, m4a.subarray(0, moov)],
    [
      'an MP4 whose recorder died within its sound',
      'undecodable-audio',
      /never finished/,
      m4a.subarray(0, 5_000),
    ],
    [
      'a codec that ffmpeg does not know',
      'unsupported-media',
      /coded as apac/,
      patched(encode(wav, 'c.m4a', '-c:a', 'alac'), 'alac', 'apac', 'stsd'),
    ],
    ['an encrypted MP4', 'unsupported-media', /encrypted/, encode(wav, 'b.mp4', '-c:a', 'aac', ...key)],
    ['a purchase from iTunes', 'unsupported-media', /encrypted/, patched(m4a, 'mp4a', 'drms', 'stsd')],
    ['a segment of an MP4 without the first', 'undecodable-audio', /fragment of a longer mp4/, segment],
    ['an MP4 without sound', 'empty-audio', /no sound track/, film],
    [
      'a transport stream without sound',
      'empty-audio',
      /no sound track/,
      encode(wav, 'b.ts', ...picture, '-map', '1', '-c:v', 'mpeg2video'),
    ],
    ['text', 'unsupported-media', /not a sound file known here/, Buffer.from('no sound at all '.repeat(500))],
    ['zeros', 'unsupported-media', /not a sound file known here/, Buffer.alloc(100_000)],
  ])('%s is named as what it is', async (_, code, words, file) => {
    expect(await rejection(pool.decode(file, request))).toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
  });

  it('boxes in boxes without end are no trouble', async () => {
    const depth = 50_000;
    const nested = Buffer.alloc(8 * depth);
    for (let level = 0; level < depth; level += 1) {
      nested.writeUInt32BE(8 * (depth - level), 8 * level);
      nested.write(level === 0 ? 'moov' : 'trak', 8 * level + 4, 'latin1');
    }
    expect(await rejection(pool.decode(nested, request))).toMatchObject({
      message: expect.stringMatching(/cannot decode|no sound/),
    });
  });

  it('names the way out where there is no ffmpeg', async () => {
    const poor = createDecoderPool({ threads: 1, ffmpegPath: '/nowhere/ffmpeg' });
    const error = await rejection(poor.decode(Buffer.alloc(5000), request)).finally(() => poor.close());
    expect(error).toMatchObject({
      code: 'unsupported-media',
      message: expect.stringContaining('install ffmpeg'),
    });
  });
});

describeWithFfmpeg('an ffmpeg that exits some time after its last byte', () => {
  it('has not failed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
    const slow = join(folder, 'ffmpeg');
    writeFileSync(slow, '#!/bin/sh\nffmpeg "$@"\ncode=$?\nexec >&-\nsleep 0.3\nexit $code\n', {
      mode: 0o700,
    });
    const busy = createDecoderPool({ threads: 1, ffmpegPath: slow });
    try {
      const { source } = await busy.decode(encode(wav, 'a.aiff'), request);
      expect(source.durationSeconds).toBe(seconds);
    } finally {
      await busy.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describeWithFfmpeg('times of a recording through ffmpeg', () => {
  const pause = ['-af', "asetpts='PTS+if(gt(T,0.8),20/TB,0)'"];

  it.each([
    ['a.mkv', 'libopus'],
    ['a.webm', 'libopus'],
    ['a.m4a', 'aac'],
    ['a.mov', 'alac'],
    ['a.ts', 'aac'],
    ['a.wmv', 'wmav2'],
  ])('keep a pause of 20 s in %s with %s', async (file, codec) => {
    const { source, samples, warnings } = await pool.decode(
      encode(wav, file, ...pause, '-c:a', codec),
      request,
    );
    const holes = quiet(samples);
    expect(holes).toHaveLength(1);
    expect(Math.abs(holes[0]![0] - 0.8)).toBeLessThan(0.15);
    expect(Math.abs(holes[0]![1] - 20)).toBeLessThan(0.15);
    expect(Math.abs(source.durationSeconds - seconds - 20)).toBeLessThan(0.15);
    expect(warnings).toHaveLength(1);
  });

  it.each([
    ['sound behind picture, MP4', 'a.mp4', [...picture, '-c:v', 'mpeg4']],
    ['sound behind picture, Matroska', 'a.mkv', [...picture, '-c:v', 'mpeg4']],
    ['sound behind picture, transport stream', 'a.ts', [...picture, '-c:v', 'mpeg2video', '-c:a', 'aac']],
    [
      'sound behind picture, transport stream of MP2',
      'b.ts',
      [...picture, '-c:v', 'mpeg2video', '-c:a', 'mp2'],
    ],
    ['sound behind picture, program stream', 'a.mpg', [...picture, '-c:v', 'mpeg2video', '-c:a', 'mp2']],
    ['sound behind picture, Flash', 'a.flv', [...picture, '-c:v', 'flv', '-c:a', 'aac']],
    ['sound alone, an MP4’s edit list', 'a.m4a', []],
    ['sound alone, WebM', 'a.webm', ['-c:a', 'libopus']],
  ])('begin late: %s', async (_, file, args) => {
    // So soon that ffmpeg sees it coming: only where it does would it begin to count at the sound
    // instead of at the picture.
    const delayed = ['-af', "asetpts='PTS+2/TB'"];
    const { samples } = await pool.decode(encode(wav, file, ...args, ...delayed), request);
    expectSilenceInFront(samples, 2);
  });

  it.each(['mp3', 'pcm_s16le'])('begin late: an AVI’s track of %s that states a start', async (codec) => {
    const file = encode(wav, 'a.avi', ...picture, '-c:v', 'mpeg4', '-c:a', codec);
    // Of the stream header: what the time is counted in, and how much of it goes by before the track
    // begins.
    const header = file.indexOf('auds', 0, 'latin1');
    const [scale, unitsPerScale] = [file.readUInt32LE(header + 20), file.readUInt32LE(header + 24)];
    file.writeUInt32LE(Math.round((2 * unitsPerScale) / scale), header + 28);
    const { samples } = await pool.decode(file, request);
    expectSilenceInFront(samples, 2);
  });

  it.each(['a.mkv', 'a.ts', 'a.m4a'])('of which hours are a hole are refused, in words: %s', async (name) => {
    const hours = ['-af', "asetpts='PTS+if(gt(T,0.8),18000/TB,0)'", '-c:a', 'aac'];
    const started = performance.now();
    expect(await rejection(pool.decode(encode(wav, name, ...hours), request))).toMatchObject({
      code: 'clip-too-long',
      message: expect.stringMatching(/clock jumps by 18000 s behind 0\.\d s of sound/),
    });
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it.each([
    [
      'a clock of 33 bits that starts anew',
      () => encode(wav, 'a.ts', '-c:a', 'aac', '-output_ts_offset', '95442'),
      1,
    ],
    [
      'a clock that goes back',
      () =>
        Buffer.concat([
          encode(wav, 'a.ts', '-c:a', 'aac', '-output_ts_offset', '500'),
          encode(wav, 'b.ts', '-c:a', 'aac'),
        ]),
      2,
    ],
    [
      'a broadcast joined after hours',
      () => encode(wav, 'a.mkv', '-c:a', 'flac', '-output_ts_offset', '9000'),
      1,
    ],
  ])('pass over %s', async (_, make, parts) => {
    const { source, samples } = await pool.decode(make(), request);
    expect(quiet(samples)).toEqual([]);
    expect(Math.abs(source.durationSeconds - parts * seconds)).toBeLessThan(0.1 * parts);
  });
});

describeWithFfmpeg('recordings that only ffmpeg knows', () => {
  it.each([
    ['x.m2ts', ['-c:a', 'aac', '-mpegts_m2ts_mode', '1'], 'mpegts', 'aac'],
    ['x.latm', ['-c:a', 'aac'], 'loas', 'aac_latm'],
    ['x.dts', ['-c:a', 'dca', '-strict', '-2', '-ac', '2'], 'dts', 'dts'],
    ['x.thd', ['-c:a', 'truehd', '-strict', '-2', '-ac', '2'], 'truehd', 'truehd'],
    ['x.sox', [], 'sox', 'pcm_s32le'],
    ['x.nut', ['-c:a', 'flac'], 'nut', 'flac'],
  ])('%s', async (name, args, format, codec) => {
    const { source, samples } = await pool.decode(encode(wav, name, ...args), request);
    expect(source).toMatchObject({ format, codec });
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
    expect(quiet(samples)).toEqual([]);
  });

  it('a transport stream cut within a packet', async () => {
    const file = encode(wav, 'a.ts', '-c:a', 'aac').subarray(1000);
    const { source } = await pool.decode(file, request);
    expect(source).toMatchObject({ format: 'mpegts', codec: 'aac' });
  });
});

describeWithFfmpeg('what names other files or hosts', () => {
  let server: Server;
  let folder: string;
  let visits = 0;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
    for (const name of ['secret.wav', 'secret.ts', 'secret.aac', 'secret.mp4']) {
      writeFileSync(join(folder, name), name === 'secret.wav' ? wav : encode(wav, name));
    }
    server = createServer((socket) => {
      visits += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  const lists: [what: string, make: (place: string) => string][] = [
    ['HLS', (p) => `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\n${p}.ts\n#EXT-X-ENDLIST\n`],
    [
      'HLS with a key',
      (p) =>
        `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI="${p}.ts"\n#EXTINF:1.5,\n${p}.ts\n`,
    ],
    ['HLS of playlists', (p) => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${p}.ts\n`],
    ['concat', (p) => `ffconcat version 1.0\nfile '${p}.wav'\n`],
    ['concat with options', (p) => `ffconcat version 1.0\nfile '${p}.wav'\noption safe 0\n`],
    [
      'DASH',
      (p) =>
        `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1.5S" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>${p}.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    ],
    [
      'SDP',
      (p) => `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=${p}\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n`,
    ],
    ['Smooth Streaming', (p) => `<SmoothStreamingMedia><StreamIndex Url="${p}"/></SmoothStreamingMedia>`],
    ['FFMETADATA', (p) => `;FFMETADATA1\ntitle=${p}.wav\n`],
    ['subtitles', (p) => `1\n00:00:00,000 --> 00:00:01,000\n<img src="${p}.wav">\n`],
    ['ASS', (p) => `[Script Info]\nAudio File: ${p}.wav\n[Events]\n`],
    ['a redirection of ASF', (p) => `[Reference]\nRef1=${p}.wav\n`],
    ['ASX', (p) => `<asx version="3.0"><entry><ref href="${p}.wav"/></entry></asx>`],
    ['RTSP', (p) => `RTSPtext ${p}`],
    ['an image list', (p) => `%d ${p}.png\n`],
    [
      'IMF',
      (p) =>
        `<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>${p}</Id></CompositionPlaylist>`,
    ],
  ];

  it.each(lists)('%s is refused and reaches nothing', async (_, make) => {
    const { port } = server.address() as AddressInfo;
    visits = 0;
    for (const place of [`${folder}/secret`, `http://127.0.0.1:${port}/secret`]) {
      const file = Buffer.from(make(place));
      expect(await rejection(pool.decode(file, request))).toMatchObject({ code: 'unsupported-media' });
    }
    expect(visits).toBe(0);
  });
});

describe('the image’s own ffmpeg', () => {
  const script = readFileSync(join(process.cwd(), 'docker/build-ffmpeg.sh'), 'utf8');
  const listed = (name: string): string[] =>
    [...script.matchAll(new RegExp(`^${name}=["']?(?:\\$${name},)?([^"'\n]+)`, 'gm'))].flatMap(
      ([, list = '']) => list.split(','),
    );
  /** configure's name for a demuxer that calls itself otherwise. */
  const components: Readonly<Record<string, string>> = { mpeg: 'mpegps', shn: 'shorten' };

  it('opens what is let in, and nothing else', () => {
    expect(listed('containers').sort()).toEqual(
      ffmpegDemuxers.map((name) => components[name] ?? name).sort(),
    );
  });

  it('writes what is read from it', () => {
    expect(script).toContain('--enable-muxer=matroska --enable-encoder=pcm_f32le');
    expect(listed('decoders')).toEqual(
      expect.arrayContaining(['aac', 'aac_latm', 'dca', 'mp2*', 'opus', 'alac', 'wma*', 'truehd']),
    );
  });
});
