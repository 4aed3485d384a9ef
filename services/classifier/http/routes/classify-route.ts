import type { RequestHandler } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import type { Metrics } from '../../../../shared/observability/metrics';
import type { Identify } from '../../access/api-keys';
import type { CallerIdOf } from '../../access/caller-id';
import type { ClassifyClip } from '../../model/classify-clip';
import type { Gate } from '../../access/admission';
import type { UploadLimits } from '../body/bounded-body';
import { negotiateAnswer, sendAnswer } from './classify-answer';
import { classifyQuerySchema } from '../classify-query';
import { parseInput } from '../parse-input';
import { contextOf, type RequestContext } from '../request-context';
import { requestTimeoutMs } from '../server/request-timeout';
import { readUpload } from '../body/upload';
import type { HeldUpload, UploadMemory } from '../body/upload-memory';

export interface ClassifyRouteDeps {
  readonly classifyClip: ClassifyClip;
  readonly gate: Gate;
  readonly identify: Identify;
  readonly callerIdOf: CallerIdOf;
  readonly metrics: Metrics;
  readonly uploadLimits: UploadLimits;
  readonly uploadMemory: UploadMemory;
  /** From the upload's last byte to the answer. */
  readonly deadlineMs: number;
}

/** `POST /classify`. Everything that can be refused is refused before the body is read. */
export function classifyRoute(deps: ClassifyRouteDeps): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const { requestId, signal } = context;
    const type = negotiateAnswer(req);
    const { format, ...options } = parseInput(classifyQuerySchema, req.query, 'query');
    const deadlineMs = requestTimeoutMs(req.headers, deps.deadlineMs);
    const caller = deps.callerIdOf(deps.identify(req.headers), req);
    const ticket = deps.gate.enter(caller, deadlineMs);
    let stopDeadline: (() => void) | undefined;
    let answered = false;
    let held: HeldUpload | undefined;
    const hold = (giveUp: () => void): HeldUpload => {
      held = deps.uploadMemory.hold(caller, () => {
        held?.release();
        deps.metrics.overloads.inc({ cause: 'upload-memory' });
        giveUp();
      });
      return held;
    };
    try {
      const bytes = await readUpload(req, deps.uploadLimits, signal, hold);
      deps.metrics.uploadBytes.observe(bytes.byteLength);
      stopDeadline = startDeadline(context, deadlineMs, deps.deadlineMs);
      await ticket.work(signal);
      const answer = await deps.classifyClip(bytes, { ...options, caller, signal });
      answered = true;
      sendAnswer(res, { requestId, ...answer }, type, format);
    } catch (error) {
      // Whoever was called off on the way says `cancelled`; why, the signal knows: the client left, or time ran out.
      throw signal.aborted ? cancellation(signal) : error;
    } finally {
      stopDeadline?.();
      held?.release();
      ticket.leave(answered);
    }
  };
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
