import { cancellation } from '../../../../../shared/errors/cancellation';
import { AppError, type ErrorCode } from '../../../../../shared/errors/app-error';
import type { Metrics } from '../../../../../shared/observability/metrics';
import type { Admission } from '../../../access/admission';
import type { CallerIdOf } from '../../../access/caller-id';
import type { ClassifyClip } from '../../../model/recording/classify-clip';
import type { UploadLimits } from '../../body/bounded-body';
import type { BodyReading } from '../../body/read-body';
import type { HeldUpload, UploadMemory } from '../../body/upload-memory';
import { contextOf, type RequestContext } from '../../request-context';
import type { Call, HeaderParameter } from '../../routing/route';
import { requestTimeoutMs, timeoutHeader, timeoutPattern } from '../../server/request-timeout';

export interface RecordingDeps {
  readonly classifyClip: ClassifyClip;
  readonly admission: Admission;
  readonly callerIdOf: CallerIdOf;
  readonly metrics: Metrics;
  readonly uploadLimits: UploadLimits;
  readonly uploadMemory: UploadMemory;
  /** The time from the upload's last byte to the answer. */
  readonly deadlineMs: number;
}

/** Says on whose account a recording is judged, and until when. */
interface Account {
  readonly caller: string;
  readonly signal: AbortSignal;
}

/** What routes that take recordings do each in its own way. */
interface RecordingSteps<Content extends { readonly lengthBytes: number }, Answer> {
  /** Reads the request's body. */
  readonly read: (reading: BodyReading) => Promise<Content>;
  readonly judge: (content: Content, account: Account) => Promise<Answer>;
  /** Sends the answer; it does not wait. */
  readonly send: (answer: Answer) => void;
}

/** The header that every route for recordings understands. */
export const timeoutParameter: HeaderParameter = {
  name: timeoutHeader,
  description: 'Seconds the answer may take; a recording that would take longer is refused at once with 429',
  pattern: timeoutPattern,
};

/** The codes with which recordings are refused, whatever the route. */
export const recordingErrors: readonly ErrorCode[] = [
  'request-timeout',
  'payload-too-large',
  'unsupported-media',
  'undecodable-audio',
  'empty-audio',
  'non-finite-audio',
  'clip-too-long',
  'overloaded',
  'starting',
  'draining',
  'engine-unavailable',
];

/**
 * Admits a recording, reads it, waits for its turn, judges and answers it. Everything that can be
 * refused is refused before the body is read.
 * @throws AppError what admission, reading and judging throw; why the request was given up
 */
export async function answerRecording<Content extends { readonly lengthBytes: number }, Answer>(
  deps: RecordingDeps,
  { req, res, caller: who }: Call,
  { read, judge, send }: RecordingSteps<Content, Answer>,
): Promise<void> {
  const context = contextOf(res);
  const { signal } = context;
  const deadlineMs = requestTimeoutMs(req.headers, deps.deadlineMs);
  const caller = deps.callerIdOf(who, req);
  const ticket = deps.admission.admit(caller, deadlineMs);
  const upload = new UploadInMemory(deps, caller);
  let stopDeadline: (() => void) | undefined;
  let answered = false;
  try {
    const content = await read({ limits: deps.uploadLimits, signal, hold: upload.hold });
    deps.metrics.uploadBytes.observe(content.lengthBytes);
    stopDeadline = startDeadline(context, deadlineMs, deps.deadlineMs);
    await ticket.work(signal);
    const answer = await judge(content, { caller, signal });
    answered = true;
    send(answer);
  } catch (error) {
    // Whoever was called off on the way says `cancelled`; why, the signal knows: the client left, or
    // time ran out.
    throw signal.aborted ? cancellation(signal) : error;
  } finally {
    stopDeadline?.();
    upload.release();
    ticket.leave(answered);
  }
}

/** Counts an upload's bytes among those that all uploads may hold. */
class UploadInMemory {
  #held: HeldUpload | undefined;

  readonly #deps: Pick<RecordingDeps, 'uploadMemory' | 'metrics'>;
  readonly #caller: string;

  constructor(deps: Pick<RecordingDeps, 'uploadMemory' | 'metrics'>, caller: string) {
    this.#deps = deps;
    this.#caller = caller;
  }

  /** @param giveUp called where others need the memory */
  readonly hold = (giveUp: () => void): HeldUpload => {
    this.#held = this.#deps.uploadMemory.hold(this.#caller, () => {
      this.release();
      this.#deps.metrics.overloads.inc({ cause: 'upload-memory' });
      giveUp();
    });
    return this.#held;
  };

  release(): void {
    this.#held?.release();
  }
}

/** @param ordinaryMs what the service promises itself: who misses that has an engine that hangs */
function startDeadline({ abort }: RequestContext, deadlineMs: number, ordinaryMs: number): () => void {
  const timer = setTimeout(() => {
    const detail = `No answer within ${deadlineMs / 1000} s; try again later.`;
    const code = deadlineMs < ordinaryMs ? 'overloaded' : 'engine-unavailable';
    abort(new AppError(code, detail, { details: { retryAfterSeconds: 5 } }));
  }, deadlineMs);
  return () => {
    clearTimeout(timer);
  };
}
