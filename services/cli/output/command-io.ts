import type { Readable } from 'node:stream';
import type { TextStream } from '../../../shared/observability/status-line';

/** What a command reads from and writes to. */
export interface CommandIo {
  readonly input: Readable;
  /** For results. */
  readonly output: TextStream;
  /** For progress and errors. */
  readonly errors: TextStream;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}
