import type { StreamState } from '../../../shared/client/stream';
import type { StreamMessage } from '../../../shared/client/stream-contract';
import type { DoneMessage } from '../../../shared/contracts/stream';
import type { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';
import { eventLine, nowLine, totalsLine } from '../output/lines';

export interface StreamPrinterOptions {
  readonly json: boolean;
  /** Whether predictions are printed too, a line each. */
  readonly predictions: boolean;
  readonly bytesPerSecond: number;
}

/** Prints a stream's messages: sounds on `output`, the progress on `errors`. */
export interface StreamPrinter {
  readonly onMessage: (message: StreamMessage) => void;
  readonly onState: (state: StreamState) => void;
  /** The error that ended the stream; undefined while there is none. */
  readonly failure: AppError | undefined;
  /** Seconds of sound that were sent. */
  readonly audioSeconds: number;
  /** To be called when audio was sent. */
  sent(bytes: number): void;
  /** Prints the totals; `done` has those of the service, if it sent them. */
  end(done: DoneMessage | undefined): void;
}

export function createStreamPrinter(
  options: StreamPrinterOptions,
  output: TextStream,
  errors: TextStream,
): StreamPrinter {
  const status = createStatusLine(errors);
  const totals = { audioSeconds: 0, predictions: 0, sounds: 0, droppedSeconds: 0, reconnects: 0 };
  let failure: AppError | undefined;
  let isDisconnected = false;
  const print = (line: string): void => {
    // The status line on a terminal is cleared first.
    status.close();
    output.write(`${line}\n`);
  };

  const count = (message: StreamMessage): void => {
    if (message.type === 'prediction') totals.predictions += 1;
    if (message.type === 'event' && message.event === 'started') totals.sounds += 1;
    if (message.type === 'notice' && message.notice === 'audio-dropped')
      totals.droppedSeconds += message.seconds;
  };
  const show = (message: StreamMessage): void => {
    if (message.type === 'event') print(eventLine(message));
    if (message.type === 'notice') status.print(message.message);
    if (message.type !== 'prediction') return;
    if (options.predictions) print(nowLine(message));
    else status.update(nowLine(message));
  };

  return {
    get failure() {
      return failure;
    },
    get audioSeconds() {
      return totals.audioSeconds;
    },
    sent(bytes) {
      totals.audioSeconds += bytes / options.bytesPerSecond;
    },
    onState(state) {
      if (state.kind === 'ended') failure = state.reason;
      if (state.kind === 'waiting' && !isDisconnected) status.print(`${state.reason.message} Reconnecting…`);
      if (state.kind === 'open' && isDisconnected) {
        totals.reconnects += 1;
        status.print('Connected again.');
      }
      if (state.kind !== 'connecting') isDisconnected = state.kind === 'waiting';
    },
    onMessage(message) {
      count(message);
      if (options.json) print(JSON.stringify(message));
      else show(message);
    },
    end(done) {
      status.print(totalsLine(totals, done));
    },
  };
}
