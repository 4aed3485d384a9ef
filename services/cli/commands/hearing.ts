import type { StreamState } from '../../../shared/client/stream';
import type { StreamMessage } from '../../../shared/client/stream-contract';
import type { DoneMessage } from '../../../shared/contracts/stream';
import type { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';
import { eventLine, nowLine, totalsLine } from '../output/lines';

export interface HearingOptions {
  readonly json: boolean;
  /** A line also for each prediction. */
  readonly predictions: boolean;
  readonly bytesPerSecond: number;
}

/** What is printed of a stream: what is heard on `output`, how it goes on `errors`. */
export interface Hearing {
  readonly onMessage: (message: StreamMessage) => void;
  readonly onState: (state: StreamState) => void;
  /** Why the stream ended by itself. */
  readonly failure: AppError | undefined;
  /** Sent so far. */
  readonly audioSeconds: number;
  /** So much more audio was sent. */
  sent(bytes: number): void;
  /** The totals, whether the service has said its own or not. */
  end(done: DoneMessage | undefined): void;
}

export function createHearing(options: HearingOptions, output: TextStream, errors: TextStream): Hearing {
  const status = createStatusLine(errors);
  const totals = { audioSeconds: 0, predictions: 0, sounds: 0, droppedSeconds: 0, reconnects: 0 };
  let failure: AppError | undefined;
  let away = false;
  const print = (line: string): void => {
    // A line that is still changing makes room first.
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
      if (state.kind === 'waiting' && !away) status.print(`${state.reason.message} Reconnecting…`);
      if (state.kind === 'open' && away) {
        totals.reconnects += 1;
        status.print('Connected again.');
      }
      if (state.kind !== 'connecting') away = state.kind === 'waiting';
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
