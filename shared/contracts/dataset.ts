import { z } from 'zod';

/** A folder in DATASETS_DIR; never hidden, never leading out of it. */
export const datasetNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'expected 1 to 64 of a–z, 0–9, - and ., the first a letter or digit');

const summary = {
  name: z.string(),
  clips: z.int().min(0),
  classCount: z.int().min(0),
  foldCount: z.int().min(0),
  problemCount: z.int().min(0).describe('0: a job can train on it, as far as is known'),
};

/** `GET /datasets`. */
export const datasetListSchema = z.object({ datasets: z.array(z.object(summary)) });
export type DatasetList = z.infer<typeof datasetListSchema>;

/** `GET /datasets/:name`. */
export const datasetDetailsSchema = z.object({
  ...summary,
  foldsMade: z.boolean().describe('The CSV has no folds: they were made, clips of one source kept together'),
  classes: z.array(
    z.object({
      name: z.string(),
      clips: z.int().min(0),
      folds: z.record(z.string(), z.int().min(0)).describe('Clips in each fold'),
    }),
  ),
  problems: z.array(z.string()).describe('The first 200'),
  warnings: z
    .array(z.string())
    .describe(
      'What may not be meant, and keeps no job from training: the same recording in several folds, for one',
    ),
  check: z
    .object({
      state: z.enum(['running', 'done']),
      checked: z.int().min(0).describe('Clips decoded so far'),
    })
    .describe('Every clip is decoded once, in the background'),
});
export type DatasetDetails = z.infer<typeof datasetDetailsSchema>;
