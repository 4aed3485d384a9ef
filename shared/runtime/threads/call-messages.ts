import { AppError, type ErrorCode } from '../../errors/app-error';

/** What the two ends of calls to a thread say to each other. */
export interface CallMessage<Call> {
  readonly call: Call;
  /** Its number, by which it is called off. */
  readonly piece: number;
}

export type FromThread<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** An error as it travels: a structured clone would lose its code. */
export interface Failure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of an AppError. */
  readonly app?: { readonly code: ErrorCode; readonly details: Readonly<Record<string, unknown>> };
  /** Of the system's errors: `ENOENT`, `open`. */
  readonly system?: { readonly code: string | undefined; readonly syscall: string | undefined };
  readonly cause?: Failure;
}

export function toFailure(caught: unknown): Failure {
  if (!(caught instanceof Error)) return { message: String(caught), stack: undefined };
  const { message, stack, cause } = caught;
  const because = cause === undefined ? {} : { cause: toFailure(cause) };
  if (caught instanceof AppError) {
    return { message, stack, app: { code: caught.code, details: caught.details }, ...because };
  }
  const { code, syscall } = caught as NodeJS.ErrnoException;
  return { message, stack, system: { code, syscall }, ...because };
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
