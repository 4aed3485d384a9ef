import type { StreamMessage } from './stream-contract.js';

/**
 * A message whose times count from the caller's first sample, for a stream that the service began
 * `originSeconds` later.
 */
export function onCallersClock(message: StreamMessage, originSeconds: number): StreamMessage {
  if (originSeconds === 0) return message;
  switch (message.type) {
    case 'prediction':
      return {
        ...message,
        startSeconds: message.startSeconds + originSeconds,
        endSeconds: message.endSeconds + originSeconds,
      };
    case 'event':
      return {
        ...message,
        onsetSeconds: message.onsetSeconds + originSeconds,
        offsetSeconds: message.offsetSeconds === null ? null : message.offsetSeconds + originSeconds,
      };
    case 'notice':
      if (message.notice !== 'audio-dropped') return message;
      return { ...message, startSeconds: message.startSeconds + originSeconds };
    case 'ready':
    case 'done':
      return message;
  }
}
