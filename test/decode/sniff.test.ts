import { sniff, type Sniffed } from '../../shared/decode/sniff';
import { randomNumbers, tone } from '../support/signals';
import { wavFile } from '../support/wav-file';

const bytes = (...parts: readonly (string | number[])[]): Buffer =>
  Buffer.concat(
    [...parts, new Array<number>(64).fill(0)].map((part) =>
      typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part),
    ),
  );

/** A frame header of MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes of frame. */
const mp3Frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)]);
/** MPEG-2 layer III, 8 kbit/s, 24 kHz, mono: 24 bytes. */
const slowMp3Frame = Buffer.concat([Buffer.from([0xff, 0xf3, 0x14, 0xc0]), Buffer.alloc(20)]);
/** ADTS: AAC-LC, 44.1 kHz, mono, 16 bytes of frame. */
const adtsFrame = Buffer.concat([Buffer.from([0xff, 0xf1, 0x50, 0x40, 0x02, 0x1f, 0xfc]), Buffer.alloc(9)]);
/** An ID3v2.4 tag of 300 bytes behind its header: 300 = 2 · 128 + 44. */
const id3 = Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 2, 44]), Buffer.alloc(300)]);

function oggPage(packet: string, flags = 2): Buffer {
  const header = Buffer.alloc(28);
  header.write('OggS', 'latin1');
  header[5] = flags;
  header[26] = 1;
  header[27] = packet.length;
  return Buffer.concat([header, Buffer.from(packet, 'latin1')]);
}

const foreign = (format: string, demuxer = format, start = 0): Sniffed => ({
  kind: 'foreign',
  start,
  format,
  demuxer,
});
const unknown: Sniffed = { kind: 'unknown' };
const other = (words: RegExp): Sniffed => ({
  kind: 'other',
  sentence: expect.stringMatching(words) as string,
});

const base64 = Buffer.from(
  wavFile([tone(100, 8_000, 100)], { sampleRate: 8_000, type: 's16' }).toString('base64'),
);

const cases: readonly [string, Buffer, Sniffed][] = [
  ['WAV', wavFile([tone(100, 8_000, 10)], { sampleRate: 8_000, type: 's16' }), { kind: 'wav', start: 0 }],
  ['RF64', bytes('RF64\xff\xff\xff\xffWAVEds64'), { kind: 'wav', start: 0 }],
  ['BW64', bytes('BW64\xff\xff\xff\xffWAVEds64'), { kind: 'wav', start: 0 }],
  ['FLAC', bytes('fLaC'), { kind: 'flac', start: 0 }],
  ['FLAC behind an ID3 tag', Buffer.concat([id3, bytes('fLaC')]), { kind: 'flac', start: 310 }],
  ['FLAC behind two ID3 tags', Buffer.concat([id3, id3, bytes('fLaC')]), { kind: 'flac', start: 620 }],
  ['MP3', Buffer.concat([mp3Frame, mp3Frame]), { kind: 'mp3', start: 0 }],
  ['MP3 at 8 kbit/s', Buffer.concat([slowMp3Frame, slowMp3Frame]), { kind: 'mp3', start: 0 }],
  ['MP3 behind an ID3 tag', Buffer.concat([id3, mp3Frame, mp3Frame]), { kind: 'mp3', start: 310 }],
  [
    'MP3 behind rubbish',
    Buffer.concat([Buffer.alloc(1_000, 0xff), mp3Frame, mp3Frame, mp3Frame]),
    { kind: 'mp3', start: 1_000 },
  ],
  [
    'a single MP3 header among other bytes',
    Buffer.concat([mp3Frame.subarray(0, 4), Buffer.alloc(4_000)]),
    unknown,
  ],
  ['two MP3 frames of different kinds', Buffer.concat([mp3Frame, slowMp3Frame, Buffer.alloc(99)]), unknown],
  ['Ogg Vorbis', oggPage('\x01vorbis'), { kind: 'ogg', start: 0, codec: 'vorbis' }],
  ['Ogg Opus', oggPage('OpusHead'), { kind: 'ogg', start: 0, codec: 'opus' }],
  ['Ogg FLAC', oggPage('\x7fFLAC'), { kind: 'ogg', start: 0, codec: 'flac' }],
  ['Ogg Speex', oggPage('Speex   '), { kind: 'ogg', start: 0, codec: 'speex' }],
  [
    'Ogg video with sound',
    Buffer.concat([oggPage('fishead\0'), oggPage('\x80theora'), oggPage('\x01vorbis')]),
    { kind: 'ogg', start: 0, codec: 'vorbis' },
  ],
  ['Ogg of something else', oggPage('\x80theora'), { kind: 'ogg', start: 0, codec: undefined }],
  ['M4A', bytes([0, 0, 0, 32], 'ftypM4A '), foreign('mp4', 'mov')],
  ['QuickTime without ftyp', bytes([0, 0, 0, 8], 'wide', [0, 0, 1, 0], 'mdat'), foreign('mp4', 'mov')],
  ['WebM', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x84], 'webm'), foreign('webm', 'matroska')],
  ['Matroska', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x88], 'matroska'), foreign('matroska')],
  ['WMA', bytes([0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]), foreign('asf')],
  ['AAC', Buffer.concat([adtsFrame, adtsFrame]), foreign('aac')],
  ['AAC behind an ID3 tag', Buffer.concat([id3, adtsFrame, adtsFrame]), foreign('aac', 'aac', 310)],
  ['AIFF', bytes('FORM', [0, 0, 1, 0], 'AIFFCOMM'), foreign('aiff')],
  ['AIFF-C', bytes('FORM', [0, 0, 1, 0], 'AIFCFVER'), foreign('aiff')],
  ['AU', bytes('.snd'), foreign('au')],
  ['CAF', bytes('caff', [0, 1, 0, 0]), foreign('caf')],
  ['AMR', bytes('#!AMR\n'), foreign('amr')],
  ['wide-band AMR', bytes('#!AMR-WB\n'), foreign('amr')],
  ['AVI', bytes('RIFF', [0, 1, 0, 0], 'AVI LIST'), foreign('avi')],
  ['SPH', bytes('NIST_1A\n   1024\n'), foreign('sph', 'nistsphere')],
  ['VOC', bytes('Creative Voice File\x1a'), foreign('voc')],
  ['MPEG-PS', bytes([0, 0, 1, 0xba]), foreign('mpeg-ps', 'mpeg')],
  [
    'a ZIP file with an MP3 in it',
    Buffer.concat([bytes('PK\x03\x04'), mp3Frame, mp3Frame, mp3Frame]),
    other(/a ZIP archive/),
  ],
  ['a RIFF file of something else', bytes('RIFF', [0, 1, 0, 0], 'WEBPVP8 '), unknown],
  ['PNG', bytes('\x89PNG\r\n\x1a\n'), other(/a picture/)],
  ['JPEG', bytes([0xff, 0xd8, 0xff, 0xe0, 0, 16], 'JFIF'), other(/a picture/)],
  ['PDF', bytes('%PDF-1.7'), other(/a PDF/)],
  ['ZIP', bytes('PK\x03\x04'), other(/a ZIP archive/)],
  [
    'a playlist that names other files',
    bytes('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'),
    other(/a playlist/),
  ],
  ['a script for ffmpeg', bytes("ffconcat version 1.0\nfile '/etc/passwd'\n"), other(/a playlist/)],
  ['HTML', bytes('<!doctype html><title>song.mp3</title>'), other(/a page of HTML/)],
  ['a gzip archive', bytes([0x1f, 0x8b, 8, 0]), other(/a gzip archive: send what is in it/)],
  ['MIDI', bytes('MThd', [0, 0, 0, 6]), other(/MIDI/)],
  ['JSON', bytes('{"audio":"UklGRg=="}'), other(/JSON: send the recording itself/)],
  ['a recording in Base64', base64, other(/text in Base64: send the bytes/)],
  [
    'a recording in lines of Base64',
    Buffer.from(base64.toString().replace(/.{76}/g, '$&\r\n')),
    other(/Base64/),
  ],
  ['a data URL', Buffer.from(`data:audio/wav;base64,${base64.toString()}`), other(/Base64/)],
  ['words', bytes('hello world '.repeat(100)), unknown],
  ['an ID3 tag alone', id3, unknown],
  ['nothing', Buffer.alloc(0), unknown],
];

describe('sniff', () => {
  for (const [name, file, wanted] of cases) {
    it(`finds ${name} to be ${wanted.kind === 'other' ? 'something else' : JSON.stringify(wanted)}`, () => {
      expect(sniff(file)).toEqual(wanted);
    });
  }

  it('takes no random bytes for MPEG sound', () => {
    const random = randomNumbers(11);
    const found = new Set<string>();
    for (let trial = 0; trial < 100; trial += 1) {
      found.add(sniff(Uint8Array.from({ length: 20_000 }, () => Math.floor(random() * 256))).kind);
    }
    expect([...found]).toEqual(['unknown']);
  });
});
