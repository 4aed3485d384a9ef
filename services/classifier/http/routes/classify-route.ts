import {
  classificationSchema,
  predictionSchema,
  recordingEventSchema,
  windowResultSchema,
} from '../../../../shared/contracts/classification';
import { startMessageSchema } from '../../../../shared/contracts/stream';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import type { Metrics } from '../../../../shared/observability/metrics';
import type { CallerIdOf } from '../../access/caller-id';
import type { ClassifyClip } from '../../model/recording/classify-clip';
import type { EventSettings } from '../../model/recording/recording-judge';
import type { Admission } from '../../access/admission';
import type { UploadLimits } from '../body/bounded-body';
import { negotiateAnswer, scoresSchema, sendAnswer } from './classify-answer';
import { classifyQuerySchema } from '../classify-query';
import { contextOf, type RequestContext } from '../request-context';
import { operation } from '../routing/route';
import { requestTimeoutMs, timeoutHeader, timeoutPattern } from '../server/request-timeout';
import { readUpload, uploadField } from '../body/upload';
import type { HeldUpload, UploadMemory } from '../body/upload-memory';

export interface ClassifyRouteDeps {
  readonly classifyClip: ClassifyClip;
  readonly admission: Admission;
  readonly callerIdOf: CallerIdOf;
  readonly metrics: Metrics;
  readonly uploadLimits: UploadLimits;
  readonly uploadMemory: UploadMemory;
  /** From the upload's last byte to the answer. */
  readonly deadlineMs: number;
}

const binary = { schema: { type: 'string', format: 'binary' } };
const uploadContent = {
  'multipart/form-data': {
    schema: {
      type: 'object',
      required: [uploadField],
      additionalProperties: false,
      properties: { [uploadField]: { type: 'string', format: 'binary' } },
    },
  },
  'application/octet-stream': binary,
  'audio/*': binary,
};

/** Everything that can be refused is refused before the body is read. */
export const classifyRoute = operation({
  method: 'post',
  path: '/classify',
  id: 'classify',
  tag: 'classification',
  summary: 'What is to be heard in a recording',
  description:
    'WAV, FLAC, MP3, Ogg Vorbis and Opus, found by content; other containers where an ffmpeg is installed. ' +
    'A clip longer than the model’s window is judged window by window; the answer is the mean over those in which a class ' +
    'is heard, or `unknown`. With `events=true` the answer names each sound with its onset and offset too.',
  access: 'key',
  query: classifyQuerySchema,
  headers: [
    {
      name: timeoutHeader,
      description:
        'Seconds the answer may take; a recording that would take longer is refused at once with 429',
      pattern: timeoutPattern,
    },
  ],
  body: { content: uploadContent },
  answers: {
    200: {
      description: 'The clip’s classes, most probable first',
      headers: { 'X-Request-Id': { schema: { type: 'string' } } },
      json: [
        {
          name: 'Classification',
          schema: classificationSchema,
          parts: {
            Prediction: predictionSchema,
            WindowResult: windowResultSchema,
            RecordingEvent: recordingEventSchema,
          },
        },
        { name: 'Scores', schema: scoresSchema },
      ],
      content: {
        'text/plain': { schema: { type: 'string' }, example: ' 93.1 %  dog\n  4.0 %  rooster\n' },
      },
    },
  },
  errors: [
    'not-acceptable',
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
  ],
  handle: (deps: ClassifyRouteDeps) => {
    return async ({ req, res, caller: who, query }) => {
      const context = contextOf(res);
      const { requestId, signal } = context;
      const type = negotiateAnswer(req);
      const { format, events, ...options } = query;
      const isEventful = events === 'true' && format === 'full';
      const deadlineMs = requestTimeoutMs(req.headers, deps.deadlineMs);
      const caller = deps.callerIdOf(who, req);
      const ticket = deps.admission.admit(caller, deadlineMs);
      const upload = new UploadInMemory(deps, caller);
      let stopDeadline: (() => void) | undefined;
      let answered = false;
      try {
        const bytes = await readUpload(req, deps.uploadLimits, signal, upload.hold);
        deps.metrics.uploadBytes.observe(bytes.byteLength);
        stopDeadline = startDeadline(context, deadlineMs, deps.deadlineMs);
        await ticket.work(signal);
        const answer = await deps.classifyClip(bytes, {
          ...options,
          events: isEventful ? eventSettings(options.hopSeconds) : undefined,
          caller,
          signal,
        });
        answered = true;
        sendAnswer(res, { requestId, ...answer }, type, format);
      } catch (error) {
        // Whoever was called off on the way says `cancelled`; why, the signal knows: the client left, or
        // time ran out.
        throw signal.aborted ? cancellation(signal) : error;
      } finally {
        stopDeadline?.();
        upload.release();
        ticket.leave(answered);
      }
    };
  },
});

/** What a stream has that says nothing else: the events of a recording are those of such a stream. */
const streamDefaults = startMessageSchema.parse({ type: 'start', encoding: 'container' });

function eventSettings(hopSeconds = streamDefaults.hopSeconds): EventSettings {
  return { rule: streamDefaults.events!, silenceDbfs: streamDefaults.silenceDbfs!, hopSeconds };
}

/** Counts an upload's bytes among those that all uploads may hold. */
class UploadInMemory {
  #held: HeldUpload | undefined;

  readonly #deps: Pick<ClassifyRouteDeps, 'uploadMemory' | 'metrics'>;
  readonly #caller: string;

  constructor(deps: Pick<ClassifyRouteDeps, 'uploadMemory' | 'metrics'>, caller: string) {
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
