import { AppError } from '../../errors/app-error';
import { indexOfNonFinite } from '../../signal/finite';
import { createMixer } from '../../signal/mono';
import { ByteQueue } from '../containers/byte-queue';
import type { Piece, StreamDecoder } from './stream-decoder';

const pieceSeconds = 0.5;
/**
 * Maximum number of samples of all channels in a piece, which limits the cost of a piece at any rate.
 */
const pieceSamples = 16_384;
const { min, floor } = Math;

interface Sample {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}

const samples: Readonly<Record<'pcm_s16le' | 'pcm_f32le', Sample>> = {
  pcm_s16le: { bytes: 2, read: (view, at) => view.getInt16(at, true) / 32_768 },
  pcm_f32le: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
};

/** Decodes interleaved PCM that arrives in chunks of any size. An incomplete last frame is dropped. */
export function createPcmDecoder(
  encoding: 'pcm_s16le' | 'pcm_f32le',
  sampleRate: number,
  channels: number,
): StreamDecoder {
  const { bytes: sampleBytes, read } = samples[encoding];
  const frameBytes = sampleBytes * channels;
  const pieceFrames = floor(min(pieceSeconds * sampleRate, pieceSamples / channels));
  const queue = new ByteQueue();
  const mix = createMixer(sampleRate);
  let taken = 0;

  function next(): Piece {
    const bytes = queue.view();
    const frames = min(pieceFrames, floor(bytes.length / frameBytes));
    const view = new DataView(bytes.buffer, bytes.byteOffset, frames * frameBytes);
    const parts = Array.from({ length: channels }, (_, channel) => {
      const part = new Float32Array(frames);
      for (let frame = 0; frame < frames; frame += 1) {
        part[frame] = read(view, frame * frameBytes + channel * sampleBytes);
      }
      return part;
    });
    queue.skip(frames * frameBytes);
    const mono = mix(parts);
    const broken = encoding === 'pcm_f32le' ? indexOfNonFinite(mono) : -1;
    if (broken >= 0) {
      throw new AppError('non-finite-audio', `Sample ${taken + broken} is not a number or is infinite.`);
    }
    taken += frames;
    return { sampleRate, samples: mono };
  }

  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- other decoders load code
    async *push(bytes) {
      queue.push(bytes);
      while (queue.length >= frameBytes) yield next();
    },
    async *finish() {
      // An incomplete frame has no audio.
    },
    close() {
      // Nothing to free.
    },
  };
}
