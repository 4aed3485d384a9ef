import { createHash } from 'node:crypto';
import { z } from 'zod';
import { networkConfigSchema } from '../../../shared/contracts/architecture';
import {
  hyperparametersSchema,
  protocolSchema,
  type SteppedHyperparameters,
} from '../../../shared/contracts/manifest';

/**
 * All that decides what a run computes, the data and the engine aside. Equal settings, equal weights.
 */
export const runSettingsSchema = z.strictObject({
  network: networkConfigSchema,
  /** Absent: the architecture's own recipe. */
  recipe: z.string().min(1).optional(),
  hyperparameters: hyperparametersSchema,
  protocol: protocolSchema,
  seed: z.int().min(0),
});
export type RunSettings = z.infer<typeof runSettingsSchema>;

/** The settings of a run that is trained step by step. */
export type SteppedSettings = RunSettings & { readonly hyperparameters: SteppedHyperparameters };

/** The folder a run's state lives in: readable, and unique to the settings and the data. */
export function runName(settings: RunSettings, dataFingerprint: string): string {
  const { network, recipe, hyperparameters, protocol, seed } = settings;
  const identity = JSON.stringify([runSettingsSchema.parse(settings), dataFingerprint]);
  const shape = network.architecture === 'transformer' ? [`h${network.heads}`, `f${network.hidden}`] : [];
  return [
    network.architecture,
    ...(recipe === undefined ? [] : [recipe]),
    ...shape,
    ...pace(hyperparameters),
    `t${protocol.testFold}`,
    `v${protocol.validationFold}`,
    `s${seed}`,
    createHash('sha256').update(identity).digest('hex').slice(0, 8),
  ].join('-');
}

/** The numbers that are in a run's name, by the letters that stand before them. */
const namedNumbers = { lr: 'learningRate', b: 'batchSize', e: 'epochs', p: 'penalty' } as const;

function pace(hyperparameters: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(namedNumbers).flatMap(([letters, name]) => {
    const value = hyperparameters[name];
    return typeof value === 'number' ? [`${letters}${value}`] : [];
  });
}
