import type { RequestHandler } from 'express';
import { AppError } from '../../../shared/errors/app-error';
import { cancellation } from '../../../shared/errors/cancellation';
import type { Metrics } from '../../../shared/observability/metrics';
import type { ClassifyClip } from '../classify-clip';
import type { Gate } from '../gate';
import { negotiateAnswer, sendAnswer } from './classify-answer';
import { parseClassifyQuery } from './classify-query';
import { contextOf, type RequestContext } from './request-context';
import { readUpload, type UploadLimits } from './upload';

export interface ClassifyRouteDeps {
  readonly classifyClip: ClassifyClip;
  readonly gate: Gate;
  readonly metrics: Metrics;
  readonly uploadLimits: UploadLimits;
  /** From the upload's last byte to the answer. */
  readonly deadlineMs: number;
}

/** `POST /classify`. Everything that can be refused is refused before the body is read. */
export function classifyRoute(deps: ClassifyRouteDeps): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const { requestId, signal } = context;
    const type = negotiateAnswer(req);
    const { format, ...options } = parseClassifyQuery(req.query);
    const leave = deps.gate.enter();
    let stopDeadline: (() => void) | undefined;
    try {
      const bytes = await readUpload(req, res, deps.uploadLimits, signal);
      deps.metrics.uploadBytes.observe(bytes.byteLength);
      stopDeadline = startDeadline(context, deps.deadlineMs);
      const answer = await deps.classifyClip(bytes, { ...options, signal });
      sendAnswer(res, { requestId, ...answer }, type, format);
    } catch (error) {
      // Whoever was called off on the way says `cancelled`; why, the signal knows: the client left, or time ran out.
      throw signal.aborted ? cancellation(signal) : error;
    } finally {
      stopDeadline?.();
      leave();
    }
  };
}

function startDeadline({ abort }: RequestContext, deadlineMs: number): () => void {
  const timer = setTimeout(() => {
    const detail = `No answer within ${deadlineMs / 1000} s; try again later.`;
    abort(new AppError('engine-unavailable', detail, { details: { retryAfterSeconds: 5 } }));
  }, deadlineMs);
  return () => {
    clearTimeout(timer);
  };
}
