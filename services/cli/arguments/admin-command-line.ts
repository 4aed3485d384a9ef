import { z } from 'zod';
import { architectures } from '../../../shared/contracts/architecture';
import { gateChecks } from '../../../shared/contracts/lifecycle';
import { tunableHyperparameters } from '../../../shared/contracts/training-request';
import { commonOptions, number, parseOptions, wrongUse } from './options';

const plainSchema = z.strictObject(commonOptions);
const promoteSchema = z.strictObject({
  ...commonOptions,
  waive: z
    .string()
    .default('')
    .transform((list) => list.split(',').filter((check) => check !== ''))
    .pipe(z.array(z.enum(gateChecks))),
});
const fold = number(z.int().min(1));
const { epochs, batchSize, learningRate, dropout } = tunableHyperparameters;
const trainSchema = z.strictObject({
  ...commonOptions,
  dataset: z.string().optional(),
  architecture: z.enum(architectures).default('encoder'),
  'cross-validate': z.boolean().optional(),
  'test-fold': z.union([z.literal('none').transform(() => null), fold]).optional(),
  'validation-fold': fold.default(2),
  seed: number(z.int().min(0).max(0xffffffff)).default(1),
  epochs: number(epochs).optional(),
  'batch-size': number(batchSize).optional(),
  'learning-rate': number(learningRate).optional(),
  dropout: number(dropout).optional(),
  promote: z.boolean().default(false),
  detach: z.boolean().default(false),
});

type PlainOptions = z.infer<typeof plainSchema>;
export type TrainOptions = z.infer<typeof trainSchema>;

type JobsAction = 'list' | 'show' | 'follow' | 'cancel' | 'resume';

export type AdminCommand =
  | { readonly verb: 'train'; readonly options: TrainOptions }
  | {
      readonly verb: 'jobs';
      readonly action: JobsAction;
      readonly id: string;
      readonly options: PlainOptions;
    }
  | {
      readonly verb: 'datasets';
      readonly action: 'list' | 'add' | 'remove';
      readonly name: string;
      readonly paths: readonly string[];
      readonly options: PlainOptions;
    }
  | { readonly verb: 'models'; readonly options: PlainOptions }
  | { readonly verb: 'promote'; readonly version: string; readonly options: z.infer<typeof promoteSchema> }
  | { readonly verb: 'pin'; readonly version: string; readonly options: PlainOptions }
  | {
      readonly verb: 'rollback' | 'unpin';
      readonly version: string | undefined;
      readonly options: PlainOptions;
    };

type Parse = (args: readonly string[]) => AdminCommand;

const parsers: Readonly<Record<AdminCommand['verb'], Parse>> = {
  train: (args) => {
    const { options, rest } = parseOptions(trainSchema, args);
    assertRest(rest, 0, 0, 'train takes options only; --dataset NAME names the recordings');
    return { verb: 'train', options };
  },
  jobs: parseJobs,
  datasets: parseDatasets,
  models: (args) => {
    const { options, rest } = parseOptions(plainSchema, args);
    assertRest(rest, 0, 0, 'models takes options only');
    return { verb: 'models', options };
  },
  promote: (args) => {
    const { options, rest } = parseOptions(promoteSchema, args);
    assertRest(rest, 1, 1, 'Name the version to promote; earshot models lists them');
    return { verb: 'promote', version: rest[0]!, options };
  },
  pin: (args) => {
    const { options, rest } = parseOptions(plainSchema, args);
    assertRest(rest, 1, 1, 'Name the version to pin; earshot models lists them');
    return { verb: 'pin', version: rest[0]!, options };
  },
  rollback: parseWithServed('rollback'),
  unpin: parseWithServed('unpin'),
};

/** Parses an admin command; undefined for another verb. @throws AppError malformed-request */
export function parseAdminCommand(verb: string, args: readonly string[]): AdminCommand | undefined {
  const known = Object.entries(parsers).find(([name]) => name === verb);
  return known?.[1](args);
}

/** Parses a command about one version; without one it is about the version that serves. */
function parseWithServed(verb: 'rollback' | 'unpin'): Parse {
  return (args) => {
    const { options, rest } = parseOptions(plainSchema, args);
    assertRest(rest, 0, 1, `${verb} takes one version, or none for the one that it is about`);
    return { verb, version: rest[0], options };
  };
}

function parseJobs(args: readonly string[]): AdminCommand {
  const { options, rest } = parseOptions(plainSchema, args);
  const [first, id] = rest;
  const action = (['follow', 'cancel', 'resume'] as const).find((name) => name === first);
  if (action !== undefined) {
    assertRest(rest, 2, 2, `Name the job to ${action}; earshot jobs lists them`);
    return { verb: 'jobs', action, id: id!, options };
  }
  assertRest(rest, 0, 1, 'jobs takes one job at a time');
  return { verb: 'jobs', action: first === undefined ? 'list' : 'show', id: first ?? '', options };
}

function parseDatasets(args: readonly string[]): AdminCommand {
  const { options, rest } = parseOptions(plainSchema, args);
  const [action, name = '', ...paths] = rest;
  if (action === undefined) return { verb: 'datasets', action: 'list', name, paths, options };
  if (action === 'add') {
    assertRest(rest, 3, Infinity, 'Name the dataset and its files, folder or zip: datasets add NAME PATH…');
    return { verb: 'datasets', action, name, paths, options };
  }
  if (action !== 'remove') throw wrongUse(`datasets does not know ${action}; only add and remove.`);
  assertRest(rest, 2, 2, 'Name the dataset to remove');
  return { verb: 'datasets', action, name, paths, options };
}

/**
 * Checks the number of arguments besides options.
 * @throws AppError malformed-request with the message
 */
function assertRest(rest: readonly string[], min: number, max: number, message: string): void {
  if (rest.length < min || rest.length > max) throw wrongUse(`${message}.`);
}
