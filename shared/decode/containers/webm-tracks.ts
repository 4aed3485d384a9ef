import { AppError } from '../../errors/app-error';
import { textAt } from '../bytes/bytes';
import { parseOpusHead } from '../opus/opus-head';
import { childrenOf, ids, readUnsigned } from './ebml';

/** A track as its `TrackEntry` describes it. */
export interface WebmTrack {
  readonly number: number;
  /** The printable part of the codec id. */
  readonly codec: string;
  readonly channels: number;
  /** For Opus: OpusHead. */
  readonly codecPrivate: Uint8Array | undefined;
  readonly encoding: 'none' | 'compressed' | 'encrypted';
  /** Whether it is played unless the user selects another. */
  readonly isDefault: boolean;
}

export interface OpusTrack {
  readonly number: number;
  /** OpusHead. */
  readonly head: Uint8Array;
  readonly streamCount: number;
}

const opusRate = 48_000;

type Fields = ReadonlyMap<number, Uint8Array>;

function fieldsOf(element: Uint8Array): Fields {
  return new Map([...childrenOf(element)].map(({ id, body }) => [id, body]));
}

function numberIn(fields: Fields, id: number, fallback: number): number {
  const body = fields.get(id);
  return body === undefined ? fallback : readUnsigned(body);
}

function encodingOf(fields: Fields): WebmTrack['encoding'] {
  const encodings = fields.get(ids.contentEncodings);
  if (encodings === undefined) return 'none';
  const isEncrypted = [...childrenOf(encodings)].some(({ body }) =>
    fieldsOf(body).has(ids.contentEncryption),
  );
  return isEncrypted ? 'encrypted' : 'compressed';
}

/** Parses the content of a `TrackEntry`; undefined without a track number. */
export function parseTrackEntry(entry: Uint8Array): WebmTrack | undefined {
  const fields = fieldsOf(entry);
  const number = fields.get(ids.trackNumber);
  if (number === undefined) return undefined;
  const codec = textAt(fields.get(ids.codecId) ?? new Uint8Array(0), 0, 32).replace(/\0.*$/, '');
  const audio = fieldsOf(fields.get(ids.audio) ?? new Uint8Array(0));
  const codecPrivate = fields.get(ids.codecPrivate);
  return {
    number: readUnsigned(number),
    codec: codec.replace(/[^\w./-]/g, '?'),
    channels: numberIn(audio, ids.channels, 1),
    codecPrivate: codecPrivate?.length === 0 ? undefined : codecPrivate?.slice(),
    encoding: encodingOf(fields),
    isDefault: numberIn(fields, ids.flagDefault, 1) !== 0 && numberIn(fields, ids.flagEnabled, 1) !== 0,
  };
}

/** Returns the OpusHead of a recorder that writes none: no delay, one stream of one or two channels. */
function defaultHead(channels: number): Uint8Array {
  if (channels > 2) {
    throw new AppError(
      'undecodable-audio',
      `The WebM track has ${channels} channels and no Opus header (CodecPrivate) that tells how they are coded.`,
    );
  }
  const head = Buffer.alloc(19);
  head.write('OpusHead', 'latin1');
  head[8] = 1;
  head[9] = Math.max(1, channels);
  head.writeUInt32LE(opusRate, 12);
  return new Uint8Array(head);
}

/**
 * Selects the first Opus track among the default tracks, or else the first Opus track.
 * @throws AppError unsupported-media where no track can be decoded; undecodable-audio without a header
 */
export function chooseOpusTrack(tracks: readonly WebmTrack[]): OpusTrack {
  const opus = tracks.filter(({ codec }) => codec.startsWith('A_OPUS'));
  const clear = opus.filter(({ encoding }) => encoding === 'none');
  const chosen = clear.find(({ isDefault }) => isDefault) ?? clear[0];
  if (chosen !== undefined) {
    const head = chosen.codecPrivate ?? defaultHead(chosen.channels);
    return { number: chosen.number, head, streamCount: parseOpusHead(head).streamCount };
  }
  const [other] = opus;
  const codecs = tracks.map(({ codec }) => codec).join(', ') || 'no track';
  throw new AppError(
    'unsupported-media',
    other === undefined
      ? `WebM is taken with Opus; this one holds ${codecs}. Record with audio/webm;codecs=opus.`
      : `The WebM track is ${other.encoding}, which is not taken; record without.`,
  );
}
