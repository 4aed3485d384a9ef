import type {
  ErrorMessage,
  keyProtocolPrefix as prefixOfContract,
  ResumeMessage,
  ServerMessage,
  StartMessageInput,
  StopMessage,
  streamProtocol as protocolOfContract,
} from '../contracts/stream.js';

/*
 * The contract's values without its schemas, which browsers do not load; the types make the compiler
 * refuse whatever differs from the contract.
 */
export const streamProtocol = 'earshot.v1' satisfies typeof protocolOfContract;
export const keyProtocolPrefix = 'earshot.key.' satisfies typeof prefixOfContract;

/** What a stream is to be; whatever is left out is the service's default. */
export type StreamSettings = Omit<StartMessageInput, 'type'>;

export type ClientMessage = StartMessageInput | ResumeMessage | StopMessage;

/** What a caller hears of; errors arrive as the stream's state or its end. */
export type StreamMessage = Exclude<ServerMessage, ErrorMessage>;

/** Bytes of one second of audio; undefined for a container, where only the service knows. */
export function bytesPerSecond(settings: StreamSettings): number | undefined {
  if (settings.encoding === 'container' || settings.sampleRate === undefined) return undefined;
  return settings.sampleRate * frameBytes(settings);
}

/** Bytes of one sample of all channels. */
export function frameBytes({ encoding, channels = 1 }: StreamSettings): number {
  return channels * (encoding === 'pcm_f32le' ? 4 : 2);
}
