import type { Clip, ClipDecoder, DecodeRequest } from '../../shared/signal/clip';
import { AppError } from '../../shared/errors/app-error';

/** A canonical WAV file: mono, 16 bits. */
export function pcmWav(samples: readonly number[], sampleRate: number): Buffer {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + samples.length * 2, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  [16, 0x0001_0001, sampleRate, sampleRate * 2, 0x0010_0002].forEach((word, index) => {
    bytes.writeUInt32LE(word, 16 + index * 4);
  });
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((sample, index) => bytes.writeInt16LE(Math.round(sample * 32768), 44 + index * 2));
  return bytes;
}

/** Reads what `pcmWav` writes, and keeps count: a decoder whose every sample a test can foretell. */
export class PcmDecoder implements ClipDecoder {
  readonly requests: DecodeRequest[] = [];

  decode(bytes: Uint8Array, request: DecodeRequest): Promise<Clip> {
    this.requests.push(request);
    const wav = Buffer.from(bytes);
    if (wav.toString('latin1', 0, 4) !== 'RIFF') {
      return Promise.reject(new AppError('unsupported-media', 'This is not audio.'));
    }
    const sampleRate = wav.readUInt32LE(24);
    const samples = Float32Array.from({ length: (wav.length - 44) / 2 }, (_, i) => {
      return wav.readInt16LE(44 + i * 2) / 32768;
    });
    const durationSeconds = samples.length / sampleRate;
    const source = { format: 'wav', codec: 'pcm_s16le', sampleRate, channels: 1, durationSeconds };
    return Promise.resolve({ source, sampleRate, samples, warnings: [] });
  }

  recycle(): void {
    // Its clips are left to be collected.
  }

  discard(): void {
    // As above.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
