import { z } from 'zod';
import { errorCodes } from '../errors/app-error';
import { classificationSchema, predictionSchema } from './classification';

/**
 * The messages of `/stream`. Text frames carry one JSON object each, described here; a client's binary
 * frames carry audio, cut anywhere. Times in seconds are positions on the stream's own sample clock: 0
 * is its first sample. In a container, sound that is missing by the container's times (lost packets, a
 * pause, a track that begins late) counts as silence.
 */

const ratio = z.number().min(0).max(1);
const seconds = z.number().min(0);

/** How a stream was left; RFC 6455 section 7.4. */
export const closeCodes = {
  /** The stream is done: the client said `stop`, or hung up properly. */
  done: 1000,
  /** The service is shutting down: the last result and `done` came before; go on elsewhere. */
  draining: 1001,
  /** Audio in an encoding or container that is not taken. */
  unsupportedData: 1003,
  /** A text frame that is no message: not UTF-8, not JSON, or not of this schema. */
  malformed: 1007,
  /** A message in the wrong order, audio before `start`, silence on the line for too long. */
  policy: 1008,
  /** A frame larger than `limits.messageBytes`. */
  tooBig: 1009,
  /** Our own fault. */
  internal: 1011,
  /** Too much to do; the error before it says when to try again. */
  overloaded: 1013,
} as const;
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

/**
 * The subprotocol that the service speaks, and the prefix of the one in which a browser hands over its
 * API key.
 */
export const streamProtocol = 'earshot.v1';
export const keyProtocolPrefix = 'earshot.key.';

const encodings = ['pcm_s16le', 'pcm_f32le', 'container'] as const;

/** The most classes that a client may name thresholds for. */
const maxThresholds = 1000;

/**
 * When a sound counts as one event. All in seconds and scores, so that the hop changes nothing of it.
 * The score of a class is its probability times the evidence for it, which is what `confidence` says of
 * the most probable one.
 */
export const eventRuleSchema = z
  .strictObject({
    thresholds: z
      .record(z.string().min(1).max(200), ratio)
      .refine((thresholds) => Object.keys(thresholds).length <= maxThresholds, {
        error: `expected at most ${maxThresholds} classes`,
      })
      .optional()
      .describe('By class: a sound of it starts when its smoothed score rises to this'),
    onThreshold: ratio
      .optional()
      .describe(
        'The same for the classes that `thresholds` does not name; unless given, those that the version was published with, else 0.5 or, where it is higher, the confidence below which it answers `unknown`',
      ),
    offThreshold: ratio
      .optional()
      .describe('A sound ends when its score falls below this; unless given, below 0.6 of where it starts'),
    smoothingSeconds: z.number().min(0).max(60).default(0.5).describe('Time constant of the smoothing'),
    minDurationSeconds: z.number().min(0).max(60).default(0.5).describe('What is shorter is no event'),
    mergeGapSeconds: z.number().min(0).max(60).default(1).describe('A shorter pause does not end an event'),
  })
  .refine(({ onThreshold = 1, offThreshold = 0 }) => offThreshold <= onThreshold, {
    path: ['offThreshold'],
    error: 'must not be above onThreshold',
  });
export type EventRule = z.infer<typeof eventRuleSchema>;

/** No control characters, line separators, unassigned characters or halves of a surrogate pair. */
const sourceText = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'expected a text without control characters');

/** What a client calls the place or the device that it sends the sound of. */
export const sourceSchema = z.strictObject({
  name: sourceText.optional().describe('As `kitchen`; streams of one name are one source'),
  tags: z.array(sourceText).max(16).default([]).describe('Whatever tells sources apart'),
});
export type Source = z.infer<typeof sourceSchema>;

export const startMessageSchema = z
  .strictObject({
    type: z.literal('start'),
    source: sourceSchema.optional().describe('Comes back in every event'),
    encoding: z
      .enum(encodings)
      .default('pcm_s16le')
      .describe(
        '`container`: WebM or Ogg with Opus, as MediaRecorder sends it; rate and channels come from it',
      ),
    sampleRate: z.int().min(4000).max(1_000_000).optional().describe('Hz; required for PCM'),
    channels: z.int().min(1).max(8).default(1).describe('Interleaved; mixed to mono'),
    windowSeconds: z
      .number()
      .min(0.5)
      .max(60)
      .optional()
      .describe('What is judged at once; the model’s own window unless given, and at most that'),
    hopSeconds: z.number().min(0.1).max(60).default(0.5).describe('Time from one prediction to the next'),
    topK: z.int().min(1).max(1000).default(3).describe('How many classes to name'),
    tags: z
      .int()
      .min(0)
      .max(527)
      .default(3)
      .describe('How many of AudioSet’s tags to name where the model has them; 0: none'),
    silenceDbfs: z
      .number()
      .min(-120)
      .max(0)
      .nullable()
      .default(-70)
      .describe('A window whose loudest 0.1 s is below this is answered without the model; null: never'),
    events: eventRuleSchema.nullable().prefault({}).describe('Null: no events'),
  })
  .refine(({ encoding, sampleRate }) => encoding === 'container' || sampleRate !== undefined, {
    path: ['sampleRate'],
    error: 'expected the rate of the PCM samples, in Hz',
  });
export type StartMessage = z.infer<typeof startMessageSchema>;
/** As it is sent: what is left out has its default. */
export type StartMessageInput = z.input<typeof startMessageSchema>;

/** Goes on with a stream whose connection was lost no longer than `limits.resumeSeconds` ago. */
export const resumeMessageSchema = z.strictObject({
  type: z.literal('resume'),
  streamId: z.string().min(1).max(100),
  lastSeq: z.int().min(0).describe('`seq` of the last message that came; 0 if none did'),
});
export type ResumeMessage = z.infer<typeof resumeMessageSchema>;

/**
 * No more audio comes: the rest is answered, then `done`. Whatever a client sends behind it is passed
 * over.
 */
export const stopMessageSchema = z.strictObject({ type: z.literal('stop') });
export type StopMessage = z.infer<typeof stopMessageSchema>;

export const clientMessageSchema = z.discriminatedUnion(
  'type',
  [startMessageSchema, resumeMessageSchema, stopMessageSchema],
  'expected a message whose type is start, resume or stop',
);
export type ClientMessage = z.infer<typeof clientMessageSchema>;

const modelSchema = classificationSchema.shape.model;
const seq = z.int().min(1).describe('Runs through all messages of a stream but `ready` and `error`');

/** The answer to `start` and to `resume`. */
export const readyMessageSchema = z.object({
  type: z.literal('ready'),
  streamId: z.string().describe('Keep it secret: whoever knows it may resume the stream'),
  resumed: z.boolean(),
  model: modelSchema,
  sampleRate: z.int().describe('Hz at which the model hears'),
  windowSeconds: seconds,
  hopSeconds: seconds,
  labels: z.array(z.string()),
  receivedBytes: z
    .int()
    .min(0)
    .describe('Audio bytes received so far: after a resume, send on from here and nothing is missing'),
  limits: z.object({
    messageBytes: z.int().describe('Largest frame'),
    bufferedSeconds: seconds.describe('Audio that may wait to be judged; a faster sender is made to wait'),
    resumeSeconds: seconds,
    idleSeconds: seconds.describe('A stream without audio for so long is closed'),
  }),
});
export type ReadyMessage = z.infer<typeof readyMessageSchema>;

export const predictionMessageSchema = z.object({
  type: z.literal('prediction'),
  seq,
  startSeconds: seconds,
  endSeconds: seconds,
  silent: z.boolean().describe('Below the level gate: the model was not asked'),
  unknown: z.boolean().describe('None of the classes: `predictions` are the closest'),
  label: z.string().describe('`silence` for a silent window, `unknown` for what is none of the classes'),
  confidence: ratio.nullable().describe('Null for a silent window'),
  labels: classificationSchema.shape.labels,
  predictions: z.array(predictionSchema).describe('Most probable first; empty for a silent window'),
  tags: classificationSchema.shape.tags,
  level: z
    .number()
    .min(-120)
    .describe(
      'Level of what is new in this window, dBFS: root mean square, a square wave of full scale is 0',
    ),
  lagMs: z
    .number()
    .min(0)
    .describe('From the arrival of the last audio that the window needs to this message'),
  skipped: z
    .int()
    .min(0)
    .describe(
      'Predictions before this one that were left out: the client reads too slowly, or the service is too busy',
    ),
});
export type PredictionMessage = z.infer<typeof predictionMessageSchema>;

/** One sound, one event: `started` when it is sure, `ended` when its end is. */
export const eventMessageSchema = z.object({
  type: z.literal('event'),
  seq,
  event: z.enum(['started', 'ended']),
  eventId: z.int().min(1).describe('The same in both messages of an event'),
  label: z.string(),
  onsetSeconds: seconds,
  offsetSeconds: seconds.nullable().describe('Null in `started`'),
  peakConfidence: ratio.describe('Largest smoothed score so far'),
  source: sourceSchema.optional().describe('As `start` gave it'),
});
export type EventMessage = z.infer<typeof eventMessageSchema>;

export const noticeMessageSchema = z.discriminatedUnion('notice', [
  z.object({
    type: z.literal('notice'),
    seq,
    notice: z.literal('audio-dropped'),
    reason: z.literal('overload'),
    startSeconds: seconds,
    seconds: seconds.describe('Sound that no prediction covers'),
    message: z.string(),
  }),
  z.object({
    type: z.literal('notice'),
    seq,
    notice: z.literal('model-changed'),
    model: modelSchema.describe('Of all predictions from here on'),
    labels: z
      .array(z.string())
      .describe('Its classes; where they are others than before, events that lasted were ended'),
    message: z.string(),
  }),
  z.object({
    type: z.literal('notice'),
    seq,
    notice: z
      .literal('beyond-full-scale')
      .describe('Samples more than 18 dB beyond full scale were muted, or taken to be of another scale'),
    message: z.string(),
  }),
  z.object({
    type: z.literal('notice'),
    seq,
    notice: z.literal('messages-lost'),
    count: z.int().min(1).describe('Predictions too old to be sent again after a resume'),
    message: z.string(),
  }),
]);
export type NoticeMessage = z.infer<typeof noticeMessageSchema>;

/** The connection closes after it. */
export const errorMessageSchema = z.object({
  type: z.literal('error'),
  code: z.enum(errorCodes),
  message: z.string(),
  retryAfterSeconds: z.number().min(0).optional(),
});
export type ErrorMessage = z.infer<typeof errorMessageSchema>;

/** The last message of a stream; the connection closes after it. */
export const doneMessageSchema = z.object({
  type: z.literal('done'),
  seq,
  reason: z.enum(['stopped', 'draining']),
  retryAfterSeconds: z.number().min(0).optional().describe('With `draining`: start again then'),
  totals: z.object({
    audioSeconds: seconds,
    receivedBytes: z.int().min(0),
    predictions: z.int().min(0),
    silent: z.int().min(0).describe('Of these, without the model'),
    events: z.int().min(0),
    droppedSeconds: seconds,
    meanLagMs: z.number().min(0),
    maxLagMs: z.number().min(0),
  }),
});
export type DoneMessage = z.infer<typeof doneMessageSchema>;

export const serverMessageSchema = z.discriminatedUnion('type', [
  readyMessageSchema,
  predictionMessageSchema,
  eventMessageSchema,
  noticeMessageSchema,
  errorMessageSchema,
  doneMessageSchema,
]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;
