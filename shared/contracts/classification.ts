import { z } from 'zod';

const ratio = z.number().min(0).max(1);
const milliseconds = z.number().min(0);

export const predictionSchema = z.object({ label: z.string(), probability: ratio });
export type Prediction = z.infer<typeof predictionSchema>;

const labels = z
  .array(predictionSchema)
  .optional()
  .describe(
    'Of a model that hears several classes at once: those that are heard, each at its own threshold or above, most probable first; ' +
      'empty where the answer is `unknown`',
  );

const verdict = {
  label: z.string().describe('The most probable class, or `unknown`'),
  unknown: z.boolean().describe('Whether no class is probable enough to be named'),
  confidence: ratio.describe(
    'How sure it is of the most probable class: its probability, times what else speaks for it where the model judges that',
  ),
};

const tags = z
  .array(predictionSchema)
  .optional()
  .describe(
    'The likeliest of AudioSet’s 527 tags, which do not exclude each other; absent where the model has no pretrained encoder',
  );

export const recordingEventSchema = z.object({
  label: z.string(),
  onsetSeconds: z.number().min(0),
  offsetSeconds: z.number().min(0),
  peakConfidence: ratio.describe('Largest smoothed score'),
});
/** One sound in a recording. */
export type RecordingEvent = z.infer<typeof recordingEventSchema>;

export const windowResultSchema = z.object({
  startSeconds: z.number().min(0),
  endSeconds: z.number().min(0),
  ...verdict,
  labels,
  predictions: z.array(predictionSchema).describe('Most probable first'),
  tags,
});

/** What `POST /classify` answers. */
export const classificationSchema = z.object({
  requestId: z.string(),
  model: z.object({ id: z.string(), architecture: z.string(), version: z.string() }),
  audio: z.object({
    format: z.string().describe('Container, as found in the content: wav, flac, mp3, ogg, …'),
    codec: z.string().describe('Of the track that was judged: pcm_s16le, opus, aac, …'),
    sampleRate: z.number().describe('Hz, of the uploaded audio'),
    channels: z.int().min(1),
    durationSeconds: z.number(),
  }),
  ...verdict,
  labels,
  predictions: z
    .array(predictionSchema)
    .describe(
      'Mean over the windows in which a class is heard (over all where there is none), most probable first',
    ),
  tags,
  windows: z.array(windowResultSchema),
  events: z
    .array(recordingEventSchema)
    .optional()
    .describe(
      'With `events=true`: the sounds, in the order of their onsets, as a stream of the same recording reports them',
    ),
  warnings: z
    .array(z.string())
    .optional()
    .describe(
      'What to know of the recording: parts that are missing or damaged; absent where there is nothing',
    ),
  timings: z.object({ decodeMs: milliseconds, queueMs: milliseconds, inferenceMs: milliseconds }),
});
export type Classification = z.infer<typeof classificationSchema>;
