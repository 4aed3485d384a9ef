import { hasTextAt, viewOf } from '../bytes/bytes';
import { leadingTagsEnd } from '../bytes/leading-tags';
import { flacMarker, parseStreamInfo } from '../codecs/flac-header';
import { parseWavHeader } from '../codecs/wav-header';
import { isFlac, isRiff } from '../containers/signatures';
import { oggCodec } from '../containers/ogg-pages';

/**
 * Compressed sound of which nothing else is known has at least so many bytes a second: 8 kbit/s, the
 * least of MP3. Speech codecs may have less.
 */
const leastBytesPerSecond = 1000;
/** What encoders and resamplers add to the length that a header states. */
const marginSeconds = 1;
/** How far the header of a WAV file is looked for, which bounds the time that this takes. */
const maxWavHeaderBytes = 16 * 1024;
/** The largest page of an Ogg stream (RFC 3533, section 6). */
const maxOggPageBytes = 65_307;
const opusGranuleRate = 48_000;

/**
 * Returns how long a recording probably is, from what its head or its end says and without decoding it:
 * for WAV, FLAC, Ogg Vorbis and Opus as the file states it, otherwise from its size, rather too long
 * than too short. It may be wrong: files may be damaged, joined, or lie. Takes less than a millisecond.
 */
export function expectedSeconds(recording: Uint8Array): number {
  const bytes = recording.subarray(leadingTagsEnd(recording));
  const stated = wavSeconds(bytes) ?? flacSeconds(bytes) ?? oggSeconds(bytes);
  const isUsable = stated !== undefined && Number.isFinite(stated) && stated >= 0;
  return marginSeconds + (isUsable ? stated : recording.length / leastBytesPerSecond);
}

/** All bytes count as sound, as they do where several files were joined. */
function wavSeconds(bytes: Uint8Array): number | undefined {
  if (!isRiff(bytes, 0, 'WAVE')) return undefined;
  try {
    const { codec, frameBytes, sampleRate } = parseWavHeader(bytes.subarray(0, maxWavHeaderBytes));
    return codec === undefined ? undefined : bytes.length / (frameBytes * sampleRate);
  } catch {
    return undefined;
  }
}

function flacSeconds(bytes: Uint8Array): number | undefined {
  if (!isFlac(bytes, 0)) return undefined;
  const { totalSamples, sampleRate } = parseStreamInfo(bytes, flacMarker.length + 4);
  return totalSamples === 0 ? undefined : totalSamples / sampleRate;
}

/** Reads the length from the position of the last page. */
function oggSeconds(bytes: Uint8Array): number | undefined {
  if (!hasTextAt(bytes, 0, 'OggS')) return undefined;
  const head = bytes.subarray(27 + (bytes[26] ?? 0));
  const codec = oggCodec(head);
  const isLongEnough = head.length >= 16;
  if (!isLongEnough || (codec !== 'opus' && codec !== 'vorbis')) return undefined;
  const rate = codec === 'opus' ? opusGranuleRate : viewOf(head).getUint32(12, true);
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(-maxOggPageBytes);
  const last = end.lastIndexOf('OggS', undefined, 'latin1');
  if (last < 0 || last + 14 > end.length) return undefined;
  const granule = Number(end.readBigInt64LE(last + 6));
  return granule < 0 ? undefined : granule / rate;
}
