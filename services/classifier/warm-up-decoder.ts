import type { ClipDecoder } from '../../shared/signal/clip';

const sampleRate = 16_000;
const samples = 1600;

/**
 * Decodes a little silence, so that the first caller does not wait for the decoder's thread to start.
 */
export async function warmUpDecoder(decoder: ClipDecoder): Promise<void> {
  decoder.recycle(await decoder.decode(silence(), { sampleRate, maxSeconds: 1 }));
}

/** 0.1 s as a WAV file: mono, 16 bits. */
function silence(): Buffer {
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(sampleRate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(samples * 2, 40);
  return wav;
}
