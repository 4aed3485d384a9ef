import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { formatError } from '../bytes/format-error';
import { writePages } from '../containers/ogg-pages';
import { readVorbisSetup, type VorbisSetup } from './vorbis-setup';

/** Decodes one Vorbis stream. */
export interface VorbisPlayer {
  /**
   * Decodes the packets that end on a page, one array per channel. The result is empty for headers and
   * for the first audio packet, which only overlaps the next.
   * @param byteOffset offset of the page, for errors
   * @throws AppError undecodable-audio
   */
  decode(packets: readonly Uint8Array[], byteOffset: number): Promise<Float32Array[]>;
  /** Frees its memory outside the JavaScript heap. */
  free(): void;
}

/** The decoder processes a page only when another byte follows it. */
const trailingByte = Uint8Array.of(0);
/**
 * An empty comment header. It replaces the original, whose pictures may be larger than all the audio.
 */
const noComments = Uint8Array.of(3, ...Buffer.from('vorbis'), 0, 0, 0, 0, 0, 0, 0, 0, 1);
const setupType = 5;
/** Size limit of the decoder. */
const maxPacketBytes = 131_072;

/**
 * The library takes Ogg pages and not packets, so new pages are made from the packets.
 * @param head the identification header
 * @param onSetup called with the size of the codebooks before the decoder builds them
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
   * Pages of the headers, which are passed together with the first audio. Without audio the decoder has
   * not written the number of channels yet, and would allocate arrays for an arbitrary number.
   */
  const headers: Uint8Array[] = [];

  const pagesOf = (packets: readonly Uint8Array[]): Uint8Array[] => {
    const pages = writePages(packets, sequence, sequence === 0);
    sequence += pages.length;
    return pages;
  };

  async function feed(packets: readonly Uint8Array[], byteOffset: number): Promise<Float32Array[]> {
    const pages = [...headers.splice(0), ...pagesOf(packets), trailingByte];
    const { channelData, samplesDecoded, errors } = await decoder.decode(Buffer.concat(pages));
    const [error] = errors;
    if (error !== undefined)
      throw formatError('Ogg', byteOffset, `a packet cannot be decoded (${error.message})`);
    // The arrays of the channels may be longer than the decoded samples.
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
      // Header packets have odd types, audio packets even ones.
      const sound = packets.filter((packet) => packet[0]! % 2 === 0 && packet.length <= maxPacketBytes);
      return isSetUp && sound.length > 0 ? feed(sound, byteOffset) : [];
    },
    free() {
      decoder.free();
    },
  };
}
