/**
 * All error codes of Earshot. The list is closed: each edge (HTTP, WebSocket, command line) maps a code
 * to its own status in exactly one place.
 */
export const errorCodes = [
  'malformed-request',
  'wrong-order',
  'unauthorized',
  'forbidden',
  'not-found',
  'conflict',
  'method-not-allowed',
  'upgrade-required',
  'not-acceptable',
  'request-timeout',
  'payload-too-large',
  'headers-too-large',
  'unknown-coding',
  'unsupported-media',
  'undecodable-audio',
  'empty-audio',
  'non-finite-audio',
  'clip-too-long',
  'overloaded',
  'rate-limited',
  'starting',
  'draining',
  'cancelled',
  'invalid-configuration',
  'invalid-dataset',
  'invalid-checkpoint',
  'engine-unavailable',
  'unreachable',
  'storage-full',
  'training-diverged',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface AppErrorOptions {
  readonly cause?: unknown;
  /** Facts for the caller. They must be safe to publish: no bytes of an upload, no paths, no secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The only error class of the project. `message` says what is wrong and what to do about it. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /**
   * Converts any caught value into an AppError. Other errors become `storage-full` or `internal` with
   * the original as cause; the answer of the operating system is included without the path.
   */
  static from(caught: unknown): AppError {
    if (caught instanceof AppError) return caught;
    if (isDiskFull(caught)) {
      const message = 'The disk is full: make room, and go on. What was kept before is whole.';
      return new AppError('storage-full', message, { cause: caught });
    }
    const message = systemAnswer(caught) ?? 'Something went wrong on our side.';
    return new AppError('internal', message, { cause: caught });
  }
}

/** `The system answered EMFILE: too many open files (open).` */
function systemAnswer(caught: unknown): string | undefined {
  if (!(caught instanceof Error)) return undefined;
  const { code, syscall, message } = caught as Error & { readonly code?: string; readonly syscall?: string };
  const [answer] = message.split(',');
  if (syscall === undefined || answer?.startsWith(`${code ?? ''}: `) !== true) return undefined;
  return `The system answered ${answer} (${syscall}).`;
}

/** Tells whether a file system reported that no space or quota is left. */
export function isDiskFull(caught: unknown): boolean {
  const code = (caught as { readonly code?: unknown } | null | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
