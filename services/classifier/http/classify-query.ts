import { z } from 'zod';

/**
 * Digits and a point to a number; whatever else stays what it is and is refused by the schema behind.
 */
function numeral(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(value) ? Number(value) : value;
}

/**
 * The options of `POST /classify`. A misspelt one is refused: ignored, it would change the answer
 * unseen.
 */
export const classifyQuerySchema = z.strictObject({
  topK: z
    .preprocess(numeral, z.int().min(1).max(1000).default(5))
    .describe('How many classes to name, of the clip and of each window'),
  tags: z
    .preprocess(numeral, z.int().min(0).max(527).default(5))
    .describe('How many of AudioSet’s tags to name where the model has them; 0: none'),
  hopSeconds: z
    .preprocess(numeral, z.number().min(0.1).max(60).optional())
    .describe('Step between two windows; half a window unless given, for events 0.5 s'),
  events: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      'Whether to name each sound with its onset and offset, as a stream does (a window every `hopSeconds`): ' +
        'of a clip of 5 s that takes nine windows instead of one',
    ),
  thresholds: z
    .string()
    .max(65_536)
    .optional()
    .describe(
      'With `events=true`, by class, the score at which a sound of it starts, as `events.thresholds` of a stream’s `start`: JSON, as `{"dog": 0.7}`',
    ),
  format: z
    .enum(['full', 'hf'])
    .default('full')
    .describe('`hf` answers as Hugging Face’s audio-classification task does: `[{label, score}]`'),
});
export type ClassifyQuery = z.infer<typeof classifyQuerySchema>;
