import { AppError, type ErrorCode } from '../../errors/app-error';

/** A call to a thread, as a message. */
export interface CallMessage<Call> {
  readonly call: Call;
  /** The number of the call, with which it can be cancelled. */
  readonly callId: number;
}

export type FromThread<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** An error in a form that survives a structured clone, which would drop its code. */
export interface Failure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Present for an AppError. */
  readonly app?: { readonly code: ErrorCode; readonly details: Readonly<Record<string, unknown>> };
  /** Present for an error of the system; for example `ENOENT` and `open`. */
  readonly system?: { readonly code: string | undefined; readonly syscall: string | undefined };
  readonly cause?: Failure;
}

export function toFailure(caught: unknown): Failure {
  if (!(caught instanceof Error)) return { message: String(caught), stack: undefined };
  const { message, stack, cause } = caught;
  const serialisedCause = cause === undefined ? {} : { cause: toFailure(cause) };
  if (caught instanceof AppError) {
    return { message, stack, app: { code: caught.code, details: caught.details }, ...serialisedCause };
  }
  const { code, syscall } = caught as NodeJS.ErrnoException;
  return { message, stack, system: { code, syscall }, ...serialisedCause };
}

export function fromFailure({ message, stack, app, system, cause }: Failure): Error {
  const options = cause === undefined ? {} : { cause: fromFailure(cause) };
  if (app !== undefined) return new AppError(app.code, message, { details: app.details, ...options });
  const error = new Error(message, options);
  if (stack !== undefined) error.stack = stack;
  if (system?.code !== undefined) Object.assign(error, { code: system.code });
  if (system?.syscall !== undefined) Object.assign(error, { syscall: system.syscall });
  return error;
}
