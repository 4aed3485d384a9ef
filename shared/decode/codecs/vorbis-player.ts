import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { damaged } from '../bytes/damaged';
import { writePages } from '../containers/ogg-pages';
import { readVorbisSetup, type VorbisSetup } from './vorbis-setup';

/** Decodes one Vorbis stream. */
export interface VorbisPlayer {
  /**
   * The sound of the packets that end on a page, a channel each; empty for headers, and for the first packet, which only begins what
   * the next one ends. @param byteOffset where the page stands, for errors
   * @throws AppError undecodable-audio
   */
  decode(packets: readonly Uint8Array[], byteOffset: number): Promise<Float32Array[]>;
  /** Frees what it holds outside the heap. */
  free(): void;
}

/** The decoder lets a page go when a byte follows it. */
const byteBehind = Uint8Array.of(0);
/** A comment header of no comments: pictures in it may be larger than all the sound. */
const noComments = Uint8Array.of(3, ...Buffer.from('vorbis'), 0, 0, 0, 0, 0, 0, 0, 0, 1);
const setupType = 5;
/** What the decoder has room for. */
const maxPacketBytes = 131_072;

/**
 * The library takes Ogg pages, not packets: it is given clean ones, made of the packets.
 * @param head the identification header
 * @param onSetup told what the decoder is about to build
 */
export async function openVorbisPlayer(
  head: Uint8Array,
  onSetup: (setup: VorbisSetup) => void,
): Promise<VorbisPlayer> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  let sequence = 0;
  let isSetUp = false;
  /**
   * Pages of headers, which go in with the first sound. Alone the decoder has not yet written how many channels there are, and makes an
   * array for each of as many as happen to stand in its memory.
   */
  const headers: Uint8Array[] = [];

  const pagesOf = (packets: readonly Uint8Array[]): Uint8Array[] => {
    const pages = writePages(packets, sequence, sequence === 0);
    sequence += pages.length;
    return pages;
  };

  async function feed(packets: readonly Uint8Array[], byteOffset: number): Promise<Float32Array[]> {
    const pages = [...headers.splice(0), ...pagesOf(packets), byteBehind];
    const { channelData, samplesDecoded, errors } = await decoder.decode(Buffer.concat(pages));
    const [error] = errors;
    if (error !== undefined)
      throw damaged('Ogg', byteOffset, `a packet cannot be decoded (${error.message})`);
    // The channels' arrays may be longer.
    return samplesDecoded <= 0 ? [] : channelData.map((channel) => channel.subarray(0, samplesDecoded));
  }

  return {
    async decode(packets, byteOffset) {
      const setup = isSetUp ? undefined : packets.find((packet) => packet[0] === setupType);
      if (setup !== undefined) {
        onSetup(readVorbisSetup(setup));
        isSetUp = true;
        headers.push(...pagesOf([head]), ...pagesOf([noComments, setup]));
      }
      // Headers have odd types, sound an even one.
      const sound = packets.filter((packet) => packet[0]! % 2 === 0 && packet.length <= maxPacketBytes);
      return isSetUp && sound.length > 0 ? feed(sound, byteOffset) : [];
    },
    free() {
      decoder.free();
    },
  };
}
