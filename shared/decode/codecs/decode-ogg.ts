import { AppError } from '../../errors/app-error';
import { viewOf } from '../bytes/bytes';
import type { ClipBuilder } from '../bytes/clip-builder';
import { formatError } from '../bytes/format-error';
import { createFlacFrameReader } from './decode-flac';
import { parseStreamInfo } from './flac-header';
import { createOggClock } from '../containers/ogg-clock';
import { createOggDemuxer, type OggPackets, type OggPiece } from '../containers/ogg-demuxer';
import { openVorbisPlayer } from './vorbis-player';
import { workNs } from '../bytes/work-budget';
import { createOggOpusReader } from './ogg-opus';
import { parseOpusHead } from '../opus/opus-head';
import { openOpusPlayer, opusRate } from './opus-player';

type OggHead = Extract<OggPiece, { kind: 'head' }>;

/** Decodes one logical stream. */
interface StreamReader {
  read(page: OggPackets): Promise<void> | void;
  free(): void;
}

/** A page is limited in size, but 255 channels of 255 long packets would still take gigabytes. */
const maxOggChannels = 8;
/** The demuxer copies its input, so a large file is passed in slices. */
const sliceBytes = 1 << 20;

/**
 * Offset of STREAMINFO in the first packet of FLAC in Ogg: after the header of the mapping, `fLaC` and a
 * block header.
 */
const oggStreamInfoOffset = 17;
const minHeadBytes = { vorbis: 30, flac: 51 } as const;

function assertHead({ codec, head, byteOffset }: OggHead, channels: number, minBytes: number): void {
  if (head.length < minBytes) throw formatError('Ogg', byteOffset, `its ${codec} header is too short`);
  if (channels <= maxOggChannels) return;
  throw new AppError(
    'undecodable-audio',
    `The Ogg file has ${channels} channels; up to ${maxOggChannels} are understood. Mix it down first.`,
    { details: { channels } },
  );
}

async function openOpus(head: OggHead, builder: ClipBuilder): Promise<StreamReader> {
  assertHead(head, head.head[9] ?? 0, 0);
  const opusHead = parseOpusHead(head.head);
  builder.begin({ format: 'ogg', codec: 'opus', sampleRate: opusRate, channels: opusHead.channels });
  const piecesOf = createOggOpusReader(opusHead.streamCount);
  const player = await openOpusPlayer(opusHead);
  return {
    read(page) {
      for (const piece of piecesOf(page)) {
        if (piece.kind === 'gap') builder.pushSilence(piece.samples);
        if (piece.kind === 'packet') builder.push(player.decode(piece.packet, piece.discardSamples));
      }
    },
    free() {
      player.free();
    },
  };
}

async function openVorbis(head: OggHead, builder: ClipBuilder): Promise<StreamReader> {
  const channels = head.head[11] ?? 0;
  assertHead(head, channels, minHeadBytes.vorbis);
  const sampleRate = viewOf(head.head).getUint32(12, true);
  builder.begin({ format: 'ogg', codec: 'vorbis', sampleRate, channels });
  const clock = createOggClock(sampleRate);
  const player = await openVorbisPlayer(head.head, ({ entries, values }) => {
    builder.spend(entries * workNs.codebookEntry + values * workNs.codebookValue);
  });
  return {
    async read(page) {
      const sound = await player.decode(page.packets, page.byteOffset);
      const samples = sound[0]?.length ?? 0;
      if (samples > 0 && sound.length < channels)
        throw formatError('Ogg', page.byteOffset, 'a packet lacks channels');
      const { gap, discard } = clock.place({ ...page, samples });
      if (gap > 0) builder.pushSilence(gap);
      if (samples > discard) builder.push(sound.map((channel) => channel.subarray(0, samples - discard)));
    },
    free() {
      player.free();
    },
  };
}

function openFlac(head: OggHead, builder: ClipBuilder): StreamReader {
  assertHead(head, 0, minHeadBytes.flac);
  const info = parseStreamInfo(head.head, oggStreamInfoOffset);
  const { sampleRate, channels, totalSamples: claimedSamples } = info;
  builder.begin({ format: 'ogg', codec: 'flac', sampleRate, channels, claimedSamples });
  const clock = createOggClock(sampleRate);
  const readFrame = createFlacFrameReader(info);
  return {
    read(page) {
      const frames = page.packets.filter((packet) => packet[0] === 0xff); // others are metadata
      const decoded = frames.map((packet, index) => {
        const frame = readFrame(packet, 0, page.byteOffset, page.follows || index > 0);
        if (frame === undefined) throw formatError('Ogg', page.byteOffset, 'a FLAC frame is cut off');
        builder.spend(frame.products * workNs.product);
        return frame.channels;
      });
      const samples = decoded.reduce((sum, frame) => sum + frame[0]!.length, 0);
      const { gap } = clock.place({ ...page, samples });
      if (gap > 0) builder.pushSilence(gap);
      for (const frame of decoded) builder.push(frame);
    },
    free() {
      // Nothing to free.
    },
  };
}

function openStream(head: OggHead, builder: ClipBuilder): Promise<StreamReader> | StreamReader {
  switch (head.codec) {
    case 'opus':
      return openOpus(head, builder);
    case 'vorbis':
      return openVorbis(head, builder);
    case 'flac':
      return openFlac(head, builder);
    case 'speex':
      throw new AppError('unsupported-media', 'The Ogg file goes on in Speex, which is not decoded here.');
  }
}

function* piecesOf(bytes: Uint8Array): Generator<OggPiece> {
  const demuxer = createOggDemuxer(Infinity);
  for (let at = 0; at < bytes.length; at += sliceBytes)
    yield* demuxer.push(bytes.subarray(at, at + sliceBytes));
  yield* demuxer.finish();
}

/** Byte offset of the first fault of each kind. */
interface Faults {
  headless?: number;
  damaged?: number;
}

/** @returns whether a stream began */
async function readStreams(bytes: Uint8Array, builder: ClipBuilder, faults: Faults): Promise<boolean> {
  let reader: StreamReader | undefined;
  try {
    for (const piece of piecesOf(bytes)) {
      if (piece.kind === 'packets') {
        await reader?.read(piece);
        continue;
      }
      if (piece.kind !== 'head') {
        faults[piece.kind] ??= piece.byteOffset;
        continue;
      }
      reader?.free();
      reader = undefined;
      reader = await openStream(piece, builder);
    }
    return reader !== undefined;
  } finally {
    reader?.free();
  }
}

/**
 * Decodes an Ogg file with Vorbis, Opus or FLAC, including chained streams. Missing or damaged pages
 * become silence of the length that the positions of the neighbouring pages give, and cause a warning.
 * @throws AppError undecodable-audio, unsupported-media, and the errors of the builder
 */
export async function decodeOgg(bytes: Uint8Array, builder: ClipBuilder): Promise<void> {
  const faults: Faults = {};
  const hasBegun = await readStreams(bytes, builder, faults);
  if (faults.damaged !== undefined)
    builder.warn('Pages of the Ogg file are damaged; their sound is left out.');
  if (hasBegun && (builder.samples > 0 || faults.damaged === undefined)) return;
  if (faults.headless !== undefined)
    throw formatError('Ogg', faults.headless, 'its first page, with the codec’s header, is missing');
  const why = faults.damaged === undefined ? 'it has no whole page' : 'a page does not match its checksum';
  throw formatError('Ogg', faults.damaged ?? 0, why);
}
