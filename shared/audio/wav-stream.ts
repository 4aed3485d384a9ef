import type { ClipBuilder } from './clip-builder';
import { damaged } from './damaged';
import { deinterleave } from './decode-wav';
import type { WavCodec } from './wav-format';
import { parseWavHeader, type WavHeader } from './wav-header';

/** Any header that ffmpeg writes is shorter. */
const maxHeaderBytes = 4096;

export interface WavStream {
  push(chunk: Uint8Array): void;
  finish(): void;
}

function append(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

/** Reads a WAV file that comes in pieces, of unknown length: `onHeader` first, then samples into the builder. */
export function createWavStream(onHeader: (header: WavHeader) => void, builder: ClipBuilder): WavStream {
  let pending: Uint8Array = new Uint8Array(0);
  let header: (WavHeader & { readonly codec: WavCodec }) | undefined;

  function readHeader(): void {
    const parsed = parseWavHeader(pending);
    if (parsed.codec === undefined) throw damaged('WAV', 20, `format ${parsed.formatTag} is not understood`);
    header = { ...parsed, codec: parsed.codec };
    onHeader(header);
    pending = pending.subarray(header.dataOffset);
  }

  function drain(): void {
    if (header === undefined) return;
    const whole = pending.length - (pending.length % header.frameBytes);
    if (whole === 0) return;
    builder.push(deinterleave(pending.subarray(0, whole), header.codec, header.channels));
    pending = pending.slice(whole);
  }

  return {
    push(chunk) {
      pending = append(pending, chunk);
      if (header === undefined && pending.length >= maxHeaderBytes) readHeader();
      drain();
    },
    finish() {
      if (header === undefined && pending.length > 0) readHeader();
      drain();
    },
  };
}
