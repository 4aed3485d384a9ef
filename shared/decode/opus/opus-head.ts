import { AppError } from '../../errors/app-error';
import { hasTextAt, viewOf } from '../bytes/bytes';

/** The header of an Opus stream (RFC 7845, section 5.1), which is the same in Ogg and in WebM. */
export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz to drop at the start; they come from the encoder's delay. */
  readonly preSkip: number;
  /** Gain to apply to the decoder's output, in 1/256 dB. */
  readonly outputGain: number;
  readonly streamCount: number;
  readonly coupledStreamCount: number;
  readonly channelMappingTable: readonly number[];
}

const minBytes = 19;
const maxChannels = 8;

function invalidHead(why: string): AppError {
  return new AppError('undecodable-audio', `The stream’s Opus header cannot be used: ${why}.`);
}

/** @throws AppError undecodable-audio */
export function parseOpusHead(bytes: Uint8Array): OpusHead {
  if (bytes.length < minBytes || !hasTextAt(bytes, 0, 'OpusHead')) throw invalidHead('it is none');
  const channels = bytes[9]!;
  const view = viewOf(bytes);
  const preSkip = view.getUint16(10, true);
  const outputGain = view.getInt16(16, true);
  const family = bytes[18]!;
  if (channels < 1 || channels > maxChannels)
    throw invalidHead(`${channels} channels, 1 to ${maxChannels} are taken`);
  const mapping = family === 0 ? defaultMapping(channels) : explicitMapping(bytes, channels);
  return { channels, preSkip, outputGain, ...mapping };
}

type Mapping = Omit<OpusHead, 'channels' | 'preSkip' | 'outputGain'>;

function defaultMapping(channels: number): Mapping {
  if (channels > 2) throw invalidHead(`${channels} channels without a mapping`);
  const channelMappingTable = channels === 1 ? [0] : [0, 1];
  return { streamCount: 1, coupledStreamCount: channels - 1, channelMappingTable };
}

function explicitMapping(bytes: Uint8Array, channels: number): Mapping {
  const [streamCount, coupledStreamCount] = [bytes[19] ?? 0, bytes[20] ?? 0];
  const channelMappingTable = [...bytes.subarray(21, 21 + channels)];
  const decoded = streamCount + coupledStreamCount;
  if (streamCount < 1 || coupledStreamCount > streamCount || decoded > 255)
    throw invalidHead('its streams do not add up');
  const fits = channelMappingTable.every((index) => index < decoded || index === 255);
  if (channelMappingTable.length < channels || !fits)
    throw invalidHead('its channel mapping does not add up');
  return { streamCount, coupledStreamCount, channelMappingTable };
}
