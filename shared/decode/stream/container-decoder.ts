import { AppError } from '../../errors/app-error';
import { formatError } from '../bytes/format-error';
import { concatenate } from '../../signal/concatenate';
import { createMixer } from '../../signal/mono';
import { findPage } from '../containers/ogg-pages';
import { sniff } from '../sniff';
import { createOggOpusDemuxer } from '../codecs/ogg-opus-demuxer';
import type { OpusDemuxer, OpusPiece } from '../opus/opus-demuxer';
import { parseOpusHead } from '../opus/opus-head';
import { openOpusPlayer, opusRate, type OpusPlayer } from '../codecs/opus-player';
import type { Piece, StreamDecoder } from './stream-decoder';
import { createWebmDemuxer, isWebm } from '../containers/webm-demuxer';

/** Maximum number of samples per piece, 0.5 s. */
const pieceSamples = opusRate / 2;

/** Number of bytes that are needed to detect the container. */
const minSniffBytes = 16;

/** Returns the error for an unsupported container, above all MP4, which some browsers record. */
function unknownContainer(bytes: Uint8Array): AppError {
  const found = sniff(bytes);
  const format = found.kind === 'foreign' ? found.format : found.kind;
  const isNamed = format !== 'unknown' && format !== 'other';
  const what = !isNamed ? 'This is neither WebM nor Ogg' : `This is ${format}, not WebM or Ogg`;
  return new AppError(
    'unsupported-media',
    `${what}: a stream in a container is taken with Opus in one of these. Record with audio/webm;codecs=opus, or send PCM.`,
    isNamed ? { details: { format } } : {},
  );
}

/**
 * Decodes a stream of WebM or Ogg with Opus as it arrives, using libopus. The container is detected from
 * the first bytes.
 */
export function createContainerDecoder(): StreamDecoder {
  let demuxer: OpusDemuxer | undefined;
  let start = new Uint8Array(0);
  let player: OpusPlayer | undefined;
  const mix = createMixer(opusRate);

  function recognise(bytes: Uint8Array): OpusDemuxer | undefined {
    if (bytes.length < minSniffBytes) return undefined;
    if (isWebm(bytes)) return createWebmDemuxer();
    // A listener who joins later may first get the end of a page.
    if (findPage(bytes, 0) >= 0) return createOggOpusDemuxer();
    throw unknownContainer(bytes);
  }

  function free(): void {
    player?.free();
    player = undefined;
  }

  function* silence(samples: number): Generator<Piece, void, undefined> {
    for (let left = samples; left > 0; left -= pieceSamples) {
      yield { sampleRate: opusRate, samples: new Float32Array(Math.min(left, pieceSamples)) };
    }
  }

  async function* play(pieces: Iterable<OpusPiece>): AsyncGenerator<Piece, void, undefined> {
    let ready: Float32Array[] = [];
    let samples = 0;
    const flush = (): Piece => {
      const piece = { sampleRate: opusRate, samples: concatenate(ready, samples) };
      ready = [];
      samples = 0;
      return piece;
    };
    for (const piece of pieces) {
      if (piece.kind === 'packet') {
        if (player === undefined) throw formatError('Opus', 0, 'a packet comes before its header');
        const sound = mix(player.decode(piece.packet, piece.discardSamples));
        ready.push(sound);
        samples += sound.length;
        if (samples >= pieceSamples) yield flush();
        continue;
      }
      if (samples > 0) yield flush();
      if (piece.kind === 'gap') {
        yield* silence(piece.samples);
        continue;
      }
      free();
      if (piece.kind === 'head') player = await openOpusPlayer(parseOpusHead(piece.head));
    }
    if (samples > 0) yield flush();
  }

  return {
    async *push(bytes) {
      if (demuxer !== undefined) {
        yield* play(demuxer.push(bytes));
        return;
      }
      const all = new Uint8Array(start.length + bytes.length);
      all.set(start);
      all.set(bytes, start.length);
      start = all;
      demuxer = recognise(all);
      if (demuxer !== undefined) yield* play(demuxer.push(all));
    },
    async *finish() {
      if (demuxer !== undefined) yield* play(demuxer.finish());
      else if (start.length > 0) throw unknownContainer(start);
    },
    close: free,
  };
}
