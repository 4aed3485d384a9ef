import { z } from 'zod';

/** How a small encoder is taught, and by what. */
export const distillationRequestSchema = z.strictObject({
  sounds: z
    .array(z.string().min(1))
    .min(1, 'name a folder of recordings; the more they vary, the better')
    .prefault([])
    .describe('unlabelled recordings; a text file names one a line; may be given several times'),
  folds: z
    .array(z.int().min(1))
    .default([])
    .describe('folds of the data set whose clips are heard too, without their labels; once for each'),
  share: z.number().min(0).max(1).default(0.5).describe('how often a sound is a clip of these folds'),
  from: z.string().min(1).optional().describe('file of a small encoder that learns more; absent: a new one'),
  steps: z.int().min(1).max(1_000_000).default(12_000).describe('of 32 mixes each'),
  learningRate: z.number().positive().max(1).default(0.003).describe('the highest'),
  seed: z.int().min(0).max(0xffffffff).default(1).describe('equal seeds give equal encoders'),
  data: z.string().min(1).optional().describe('the data set; absent: DATA_DIR, else ./data/ESC-50'),
  esc10Only: z.boolean().default(false).describe('only the rows of ESC-50 that make up ESC-10'),
});
export type DistillationRequest = z.infer<typeof distillationRequestSchema>;
