import { OpusDecoder } from 'opus-decoder';
import { damaged } from '../bytes/damaged';
import type { OpusHead } from './opus-head';
import { opusPacketSamples } from './opus-packet';

/** Opus always plays at 48 kHz; the rate in its header only remembers what went into the encoder. */
export const opusRate = 48_000;

/** Decodes one Opus stream, packet by packet. */
export interface OpusPlayer {
  /**
   * The sound of a packet in memory of its own, a channel each, without what is not to be played: what belongs to the encoder at the
   * stream's start, and `discardSamples` at the packet's end. A packet that cannot be decoded is silence of its length.
   * @throws AppError undecodable-audio when so many packets fail in a row that the stream is no Opus
   */
  decode(packet: Uint8Array, discardSamples: number): Float32Array[];
  /** Frees what it holds outside the heap. */
  free(): void;
}

/** A second of usual packets: a damaged stretch is passed over, a stream of nothing else is not. */
const maxFailures = 50;

/** Whole decibels are 256 (RFC 7845, section 5.1). */
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
    if (failures > maxFailures) throw damaged('Opus', 0, 'its packets cannot be decoded');
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
