import { AppError } from '../../errors/app-error';
import { textAt } from '../bytes';
import { damaged } from '../damaged';
import { childrenOf, ids, readUnsigned } from './ebml';

export interface OpusTrack {
  readonly number: number;
  /** OpusHead. */
  readonly head: Uint8Array;
}

/**
 * The first track with Opus in the content of a `Tracks` element.
 * @throws AppError unsupported-media when there is none; undecodable-audio when it lacks its header
 */
export function findOpusTrack(tracks: Uint8Array, byteOffset: number): OpusTrack {
  const codecs: string[] = [];
  for (const entry of childrenOf(tracks)) {
    if (entry.id !== ids.trackEntry) continue;
    const fields = new Map([...childrenOf(entry.body)].map(({ id, body }) => [id, body]));
    const codecId = fields.get(ids.codecId) ?? new Uint8Array(0);
    const codec = textAt(codecId, 0, 32).replace(/\0+$/, '');
    if (codec !== 'A_OPUS') {
      codecs.push(codec.replace(/[^\w./-]/g, '?'));
      continue;
    }
    const number = fields.get(ids.trackNumber);
    const head = fields.get(ids.codecPrivate);
    if (number === undefined || head === undefined)
      throw damaged('WebM', byteOffset, 'its track lacks its header');
    if (fields.has(ids.contentEncodings)) {
      throw new AppError(
        'unsupported-media',
        'WebM whose track is compressed or encrypted once more is not taken.',
      );
    }
    return { number: readUnsigned(number), head: head.slice() };
  }
  throw new AppError(
    'unsupported-media',
    `WebM is taken with Opus; this one holds ${codecs.join(', ') || 'no track'}. Record with audio/webm;codecs=opus.`,
  );
}
