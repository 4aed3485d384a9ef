import type { Readable } from 'node:stream';
import type { TextStream } from '../../../shared/observability/status-line';

/** What a command reads from and writes to. */
export interface CommandIo {
  readonly input: Readable;
  /** What was asked for. */
  readonly output: TextStream;
  /** How it goes, and what went wrong. */
  readonly errors: TextStream;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}
