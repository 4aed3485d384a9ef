import type { ErrorMessage, ServerMessage } from '../contracts/stream.js';
import { AppError } from '../errors/app-error.js';
import { ask, resolveUrl } from './ask.js';
import type { ClientOptions, SocketLike } from './options.js';
import { keyProtocolPrefix, streamProtocol, type ClientMessage } from './stream-contract.js';

export interface Connection {
  say(message: ClientMessage): void;
  send(audio: Uint8Array<ArrayBuffer>): void;
  /** What was sent and is still on this machine. */
  unsentBytes(): number;
  /** Hangs up; nothing is heard of it any more. */
  close(): void;
}

export interface ConnectionHandlers {
  readonly onOpen: () => void;
  readonly onMessage: (message: Exclude<ServerMessage, ErrorMessage>) => void;
  /** Why it ended; details.resumable says that the stream itself may still be there. */
  readonly onEnd: (reason: AppError) => void;
}

/** One WebSocket to `/stream`, from the handshake to its end, whose reason is always told. */
export function connect(client: ClientOptions, handlers: ConnectionHandlers): Connection {
  const url = resolveUrl(client, 'stream');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const keys = client.apiKey === undefined ? [] : [keyProtocolPrefix + client.apiKey];
  const socket = (client.createSocket ?? createPlatformSocket)(url.href, [streamProtocol, ...keys]);
  socket.binaryType = 'arraybuffer';
  let opened = false;
  let closed = false;
  let reason: AppError | undefined;
  let retryAfterSeconds: number | undefined;

  socket.addEventListener('open', () => {
    opened = true;
    if (!closed) handlers.onOpen();
  });
  socket.addEventListener('message', ({ data }) => {
    const message = parse(data);
    if (closed || message === undefined) return;
    if (message.type === 'error') reason = fromMessage(message);
    else {
      if (message.type === 'done') retryAfterSeconds = message.retryAfterSeconds;
      handlers.onMessage(message);
    }
  });
  // What went wrong a browser tells nobody; `close` follows in any case.
  socket.addEventListener('error', () => undefined);
  socket.addEventListener('close', ({ code }) => {
    void explain(client, { opened, code, reason, retryAfterSeconds }).then((why) => {
      if (!closed) handlers.onEnd(why);
    });
  });

  return {
    say: (message) => {
      socket.send(JSON.stringify(message));
    },
    send: (audio) => {
      socket.send(audio);
    },
    unsentBytes: () => socket.bufferedAmount,
    close: () => {
      closed = true;
      socket.close(1000);
    },
  };
}

function createPlatformSocket(url: string, protocols: readonly string[]): SocketLike {
  const { WebSocket } = globalThis as unknown as {
    WebSocket?: new (url: string, protocols: string[]) => SocketLike;
  };
  if (WebSocket !== undefined) return new WebSocket(url, [...protocols]);
  throw new AppError('invalid-configuration', 'This platform has no WebSocket: give createSocket.');
}

/**
 * A message; undefined for what is none, or of a kind that a newer service may send and this client does
 * not know.
 */
function parse(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined;
  const known: readonly string[] = ['ready', 'prediction', 'event', 'notice', 'error', 'done'];
  try {
    const message = JSON.parse(data) as ServerMessage;
    return known.includes(message.type) ? message : undefined;
  } catch {
    return undefined;
  }
}

function fromMessage({ code, message, retryAfterSeconds }: ErrorMessage): AppError {
  return new AppError(code, message, {
    details: retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  });
}

interface Ending {
  readonly opened: boolean;
  readonly code: number;
  readonly reason: AppError | undefined;
  readonly retryAfterSeconds: number | undefined;
}

async function explain(client: ClientOptions, ending: Ending): Promise<AppError> {
  const { opened, code, reason, retryAfterSeconds } = ending;
  if (reason !== undefined) return reason;
  if (code === 1001) {
    return new AppError('draining', 'The service is being restarted.', {
      details: retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
    });
  }
  if (opened)
    return new AppError('unreachable', 'The connection was lost.', { details: { resumable: true } });
  return explainRefusal(client);
}

/**
 * Why a handshake failed: scripts are not told, so the service is asked over plain HTTP, which it
 * refuses likewise.
 */
async function explainRefusal(client: ClientOptions): Promise<AppError> {
  const refusal = await ask(client, 'stream').then(
    () => undefined,
    (caught: unknown) => AppError.from(caught),
  );
  const { code, message, details } = refusal ?? new AppError('upgrade-required', '');
  if (code !== 'upgrade-required')
    return new AppError(code, message, { details: { ...details, resumable: true } });
  const why =
    'The connection for live sound was not made; something on the way may not let WebSockets through.';
  return new AppError('unreachable', why, { details: { resumable: true } });
}
