import type * as contract from '../contracts/stream.js';
import type { z } from 'zod';

/*
 * The contract's values without its schemas, which browsers do not load; the types make the compiler
 * refuse whatever differs from the contract.
 */
export const streamProtocol: typeof contract.streamProtocol = 'earshot.v1';
export const keyProtocolPrefix: typeof contract.keyProtocolPrefix = 'earshot.key.';

/** What a stream is to be; whatever is left out is the service's default. */
export type StreamSettings = Omit<z.input<typeof contract.startMessageSchema>, 'type'>;

export type ClientMessage =
  | z.input<typeof contract.startMessageSchema>
  | contract.ResumeMessage
  | z.input<typeof contract.stopMessageSchema>;

/** What a caller hears of; errors arrive as the stream's state or its end. */
export type StreamMessage = Exclude<contract.ServerMessage, contract.ErrorMessage>;

/** Bytes of one second of audio; undefined for a container, where only the service knows. */
export function bytesPerSecond(settings: StreamSettings): number | undefined {
  if (settings.encoding === 'container' || settings.sampleRate === undefined) return undefined;
  return settings.sampleRate * frameBytes(settings);
}

/** Bytes of one sample of all channels. */
export function frameBytes({ encoding, channels = 1 }: StreamSettings): number {
  return channels * (encoding === 'pcm_f32le' ? 4 : 2);
}
