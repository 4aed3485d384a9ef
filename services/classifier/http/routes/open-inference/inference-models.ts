import { z } from 'zod';
import type { Manifest } from '../../../../../shared/contracts/manifest';
import { windowFormat } from '../../../../../shared/contracts/members';
import { AppError } from '../../../../../shared/errors/app-error';

export interface ModelInput {
  readonly name: 'audio' | 'samples';
  readonly datatype: 'BYTES' | 'FP32';
  readonly shape: readonly number[];
}

/**
 * What the Open Inference Protocol calls a model: the version that serves, by what it is given. Names
 * stay when another version is promoted.
 */
const inputsByModel: ReadonlyMap<string, ModelInput> = new Map([
  ['earshot', { name: 'audio', datatype: 'BYTES', shape: [-1] }],
  ['earshot-samples', { name: 'samples', datatype: 'FP32', shape: [-1, -1] }],
]);

export const modelOutputs = [
  { name: 'label', datatype: 'BYTES', shape: [-1] },
  { name: 'confidence', datatype: 'FP32', shape: [-1] },
  { name: 'labels', datatype: 'BYTES', shape: [-1, -1] },
  { name: 'probabilities', datatype: 'FP32', shape: [-1, -1] },
] as const;
export type OutputName = (typeof modelOutputs)[number]['name'];

const tensorSchema = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });

export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(tensorSchema),
  outputs: z.array(tensorSchema),
  parameters: z.object({
    sample_rate: z.int().describe('Hz, of `samples` unless a request says another'),
    window_seconds: z.number().describe('What is judged at once; what is longer is judged window by window'),
  }),
});

/** @throws AppError not-found */
export function inputOf(model: string): ModelInput {
  const input = inputsByModel.get(model);
  if (input !== undefined) return input;
  throw new AppError(
    'not-found',
    `There is no such model; there are ${[...inputsByModel.keys()].join(' and ')}.`,
  );
}

/**
 * The version that serves.
 * @param asked the version that a request names; undefined: any
 * @throws AppError starting; not-found where another one serves
 */
export function servedVersion(manifest: Manifest | undefined, asked: string | undefined): Manifest {
  if (manifest === undefined) throw new AppError('starting', 'The model is being loaded.');
  assertVersion(manifest.version, asked);
  return manifest;
}

/** @throws AppError not-found */
export function assertVersion(served: string, asked: string | undefined): void {
  if (asked === undefined || asked === served) return;
  throw new AppError('not-found', `This version does not serve; ${served} does.`);
}

export function describeInferenceModel(
  name: string,
  manifest: Manifest,
): z.infer<typeof modelMetadataSchema> {
  const { sampleRate, windowSeconds } = windowFormat(manifest);
  const { name: input, datatype, shape } = inputOf(name);
  return {
    name,
    versions: [manifest.version],
    platform: 'earshot',
    inputs: [{ name: input, datatype, shape: [...shape] }],
    outputs: modelOutputs.map((output) => ({ ...output, shape: [...output.shape] })),
    parameters: { sample_rate: sampleRate, window_seconds: windowSeconds },
  };
}
