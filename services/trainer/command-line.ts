import { parseArgs } from 'node:util';
import { z } from 'zod';
import { AppError } from '../../shared/errors/app-error';
import type { RecipeRequest } from './recipes/configure-recipe';

const wholeNumber = z.coerce.number().pipe(z.int());
const decimal = z.coerce.number();

/** Every option of `npm run train`; what is not given is the architecture's own (recipes/). */
const trainOptionsSchema = z.strictObject({
  architecture: z.enum(['cnn', 'transformer', 'mel', 'mel-small', 'encoder']).default('cnn'),
  recipe: z.string().min(1).optional(),
  penalty: decimal.pipe(z.number().positive()).optional(),
  'learning-rate': decimal.pipe(z.number().positive()).optional(),
  'batch-size': wholeNumber.pipe(z.int().positive()).optional(),
  epochs: wholeNumber.pipe(z.int().positive()).optional(),
  'steps-per-epoch': wholeNumber.pipe(z.int().positive()).optional(),
  'test-fold': z.union([z.literal('none').transform(() => null), wholeNumber]).default(1),
  'validation-fold': wholeNumber.default(2),
  seed: wholeNumber.pipe(z.int().min(0).max(0xffffffff)).default(1),
  seeds: wholeNumber.pipe(z.int().min(1).max(20)).default(1),
  dropout: decimal.optional(),
  heads: wholeNumber.optional(),
  hidden: wholeNumber.optional(),
  width: wholeNumber.optional(),
  'batch-norm': z.enum(['counted', 'applied']).optional(),
  augmentation: z.string().optional(),
  precision: z.enum(['float16', 'float32']).default('float16'),
  data: z.string().optional(),
  csv: z.string().optional(),
  'esc10-only': z.boolean().default(false),
  'cross-validate': z.boolean().default(false),
  blind: z.boolean().default(false),
  resume: z.boolean().default(false),
  fresh: z.boolean().default(false),
});

export type TrainCommand = z.infer<typeof trainOptionsSchema>;

const flags = ['esc10-only', 'cross-validate', 'blind', 'resume', 'fresh'];

export const trainUsage = `npm run train -- [options]
  --architecture cnn|transformer|mel|mel-small|encoder   default cnn
  --recipe NAME                    how it is trained, default the architecture's own
  --learning-rate N                default 0.001 (mel: 0.003)
  --batch-size N                   clips, default 32
  --epochs N                       default 100 (mel: 10 of 150 steps)
  --steps-per-epoch N              mel: default 150
  --test-fold N|none               never trained or selected on, default 1; none: all other folds train
  --blind                          leaves the test fold unread: validation figures only
  --validation-fold N              chooses the epoch, default 2; the other folds train
  --cross-validate                 every fold but the test fold validates in turn
  --seeds N                        of a cross-validation: so many from --seed on, default 1; the best on validation is
                                   published, the others calibrate what averaging gives
  --seed N                         equal seeds give equal weights, default 1
  --dropout N                      default 0.1 (mel: 0.3)
  --heads 1|2|4, --hidden N        transformer: default 4 and 1024
  --batch-norm counted|applied     cnn: default counted, as the report
  --width 12|24                    mel: default 12
  --penalty N                      encoder: on the squared weights of the head; default: chosen by log loss on clips held out
  --augmentation NAME=N,…          mel: changes shares and levels, as noise=0,reverberation=0
  --precision float16|float32      of the published weights, default float16
  --data FOLDER, --csv FILE        default DATA_DIR, else ./data/ESC-50
  --esc10-only                     only the rows of ESC-50 that make up ESC-10
  --resume                         continue a run that was stopped
  --fresh                          forget a run that was stopped, and start anew`;

/** @throws AppError invalid-configuration listing every option that is wrong */
export function parseTrainCommand(args: readonly string[]): TrainCommand {
  const options = Object.fromEntries(
    Object.keys(trainOptionsSchema.shape).map((name) => [
      name,
      { type: flags.includes(name) ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (cause) {
    throw new AppError('invalid-configuration', `${(cause as Error).message}\n\n${trainUsage}`, { cause });
  }
  const parsed = trainOptionsSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `--${path.join('.')} ${String(values[String(path[0])])}: ${message}`,
  );
  throw new AppError('invalid-configuration', `${problems.join('\n')}\n\n${trainUsage}`);
}

/** What the options change of a recipe. */
export function recipeRequestOf(command: TrainCommand): RecipeRequest {
  return {
    architecture: command.architecture,
    recipe: command.recipe,
    hyperparameters: {
      learningRate: command['learning-rate'],
      batchSize: command['batch-size'],
      epochs: command.epochs,
      stepsPerEpoch: command['steps-per-epoch'],
      penalty: command.penalty,
      dropout: command.dropout,
      heads: command.heads,
      hidden: command.hidden,
      width: command.width,
      batchNorm: command['batch-norm'],
    },
    augmentation: numbersOf(command.augmentation),
  };
}

/** The numbers that `NAME=N,…` names. */
function numbersOf(list = ''): Record<string, number> {
  const pairs = list.split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair): [string, number] => {
      const [name = '', value] = pair.split('=');
      return [name, Number(value)];
    }),
  );
}
