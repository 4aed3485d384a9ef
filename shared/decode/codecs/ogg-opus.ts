import { hasTextAt } from '../bytes/bytes';
import { createOggClock, type OggClock } from '../containers/ogg-clock';
import type { OggPackets } from '../containers/ogg-demuxer';
import type { OpusPiece } from '../opus/opus-demuxer';
import { opusPacketSamples } from '../opus/opus-packet';
import { opusRate } from './opus-player';

/** Turns the pages of one Opus stream in Ogg into packets and gaps. Its tags are dropped. */
export function createOggOpusReader(streamCount: number): (page: OggPackets) => Generator<OpusPiece> {
  const clock: OggClock = createOggClock(opusRate);

  return function* (page) {
    const packets = page.packets.filter((packet) => !hasTextAt(packet, 0, 'OpusTags'));
    const lengths = packets.map((packet) => opusPacketSamples(packet, streamCount) ?? 0);
    const samples = lengths.reduce((sum, length) => sum + length, 0);
    const { gap, discard } = clock.place({ ...page, samples });
    if (gap > 0) yield { kind: 'gap', samples: gap };
    let left = samples;
    for (const [index, packet] of packets.entries()) {
      left -= lengths[index]!;
      // Discarded samples may extend over several packets.
      const discardSamples = Math.min(lengths[index]!, Math.max(0, discard - left));
      yield { kind: 'packet', packet, discardSamples };
    }
  };
}
