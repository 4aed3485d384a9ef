import { OpusDecoder } from 'opus-decoder';
import { formatError } from '../bytes/format-error';
import type { OpusHead } from '../opus/opus-head';
import { opusPacketSamples } from '../opus/opus-packet';

/** Opus always decodes to 48 kHz; the rate in its header only states the input rate of the encoder. */
export const opusRate = 48_000;

/** Decodes one Opus stream, packet by packet. */
export interface OpusPlayer {
  /**
   * Decodes a packet into new arrays, one per channel. The pre-skip at the start of the stream and
   * `discardSamples` at the end of the packet are removed. A packet that cannot be decoded becomes
   * silence of its length.
   * @throws AppError undecodable-audio when too many packets in a row fail
   */
  decode(packet: Uint8Array, discardSamples: number): Float32Array[];
  /** Frees its memory outside the JavaScript heap. */
  free(): void;
}

/** One second of usual packets. A shorter damaged part becomes silence. */
const maxFailures = 50;

/** 256 steps are one decibel (RFC 7845, section 5.1). */
function gainFactor({ outputGain }: OpusHead): number {
  return 10 ** (outputGain / (20 * 256));
}

export async function openOpusPlayer(head: OpusHead): Promise<OpusPlayer> {
  const { channels, streamCount, coupledStreamCount, channelMappingTable } = head;
  const decoder = new OpusDecoder({
    channels,
    streamCount,
    coupledStreamCount,
    channelMappingTable: [...channelMappingTable],
  });
  await decoder.ready;
  const gain = gainFactor(head);
  let skip = head.preSkip;
  let failures = 0;

  function soundOf(packet: Uint8Array): { channelData: Float32Array[]; samplesDecoded: number } {
    const samples = opusPacketSamples(packet, streamCount);
    const decoded = samples === undefined ? undefined : decoder.decodeFrame(packet);
    if (decoded?.errors.length === 0) {
      failures = 0;
      return decoded;
    }
    failures += 1;
    if (failures > maxFailures) throw formatError('Opus', 0, 'its packets cannot be decoded');
    const silence = new Float32Array(samples ?? 0);
    return { channelData: Array.from({ length: channels }, () => silence), samplesDecoded: silence.length };
  }

  return {
    decode(packet, discardSamples) {
      const { channelData, samplesDecoded } = soundOf(packet);
      const from = Math.min(skip, samplesDecoded);
      skip -= from;
      const to = Math.max(from, samplesDecoded - discardSamples);
      const heard = channelData.map((channel) => channel.slice(from, to));
      if (gain !== 1)
        for (const channel of heard) for (let i = 0; i < channel.length; i++) channel[i]! *= gain;
      return heard;
    },
    free() {
      decoder.free();
    },
  };
}
