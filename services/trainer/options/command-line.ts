import { parseArgs } from 'node:util';
import { z } from 'zod';
import { architectures } from '../../../shared/contracts/architecture';
import {
  refuseForeignHyperparameters,
  trainingRequestSchema,
  type TrainingRequest,
} from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import { distillationRequestSchema, type DistillationRequest } from './distillation-request';
import { describeSchema, type DescribedSchema } from './describe-schema';
import { timelineUsage } from './timeline-options';

/** An option of the command line: one value of a training request. */
interface Option extends DescribedSchema {
  /** Where it stands in the request: its group, where it has one, and its name. */
  readonly path: readonly string[];
  readonly flag: string;
}

type OptionName =
  keyof TrainingRequest | keyof TrainingRequest['hyperparameters'] | keyof DistillationRequest;

/** How an option is spelled, for messages. */
export function flagOf(name: OptionName): string {
  return `--${kebabCase(name)}`;
}

const options: readonly Option[] = optionsOf(trainingRequestSchema, []);
const distillationOptions: readonly Option[] = optionsOf(distillationRequestSchema, []);

function optionsOf({ shape }: z.ZodObject, path: readonly string[]): Option[] {
  return Object.entries<z.ZodType>(shape as Record<string, z.ZodType>).flatMap(([name, schema]) => {
    const described = describeSchema(schema);
    const fieldPath = [...path, name];
    if (described.core instanceof z.ZodObject) return optionsOf(described.core, fieldPath);
    return [{ ...described, path: fieldPath, flag: kebabCase(name) }];
  });
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The value's form in the usage text, where its type does not say it. */
const forms: Readonly<Record<string, string>> = {
  data: 'FOLDER',
  csv: 'FILE',
  encoder: 'FILE',
  from: 'FILE',
  sounds: 'FOLDER',
  folds: 'N',
};

/** Columns of the usage text: where descriptions begin, and where lines are broken. */
const [descriptionColumn, lineLength] = [35, 105];

const trainUsage = ['npm run train -- [options]', ...options.map(usageOf)].join('\n');
/** What `npm run distil` takes. */
export const distilUsage = [
  `npm run distil -- ${flagOf('sounds')} FOLDER [options]`,
  ...distillationOptions.map(usageOf),
].join('\n');

/** What every command of the trainer takes. */
export const usage = `${trainUsage}

npm run reproduce -- [${flagOf('data')} FOLDER] [${flagOf('esc10Only')}] [${flagOf('epochs')} N] [${flagOf('seed')} N]
                  every run of the report's protocol that is missing; writes models/REPORT.md and .html
npm run evaluate -- VERSION [${flagOf('data')} FOLDER] [${flagOf('esc10Only')}]
                  judges a published version's networks anew, and writes what they are worth into its report
${timelineUsage}
npm run tags -- [${flagOf('data')} FOLDER] [${flagOf('csv')} FILE]
                  a version that answers in AudioSet's classes, several at once: its thresholds are chosen on the
                  recordings whose category is one of them
npm run distil -- ${flagOf('sounds')} FOLDER [options]
                  teaches a small encoder to answer as the large one, without labels
npm run summary -- ${architectures.join('|')} [${flagOf('heads')} N] [${flagOf('hidden')} N] [${flagOf('batchSize')} N]
                  the parameter table, and the versions in models/ that hold such networks
npm run trainer -- [--until-idle SECONDS]
                  works on the jobs of a Redis (REDIS_URL) until it is stopped, or until none came for so long
npm run data      downloads ESC-50 (which holds ESC-10) into ./data`;

function usageOf({ path, flag, isSwitch, form, description, defaultText }: Option): string {
  const value = isSwitch ? '' : ` ${forms[path.at(-1)!] ?? form}`;
  const left = `  --${flag}${value}  `.padEnd(descriptionColumn);
  const [first = '', ...more] = wrap(
    defaultText === undefined ? description : `${description}; default ${defaultText}`,
  );
  const indented = more.map((line) => `${' '.repeat(descriptionColumn)}${line}`);
  return [`${left}${first}`, ...indented].join('\n');
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)!} ${word}`.trim();
    if (longer.length <= lineLength - descriptionColumn) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Whether usage is asked for. */
export function asksForHelp(args: readonly string[]): boolean {
  return args.includes('--help');
}

/** What a training takes: of hyperparameters only those that its architecture has. */
const heededRequestSchema = trainingRequestSchema.superRefine(
  refuseForeignHyperparameters(
    trainingRequestSchema.shape.hyperparameters.unwrap().shape,
    (name) => `--${kebabCase(name)}`,
  ),
);

/**
 * Reads the options of a training.
 * @param architecture of a command that has its own, whatever the options say
 * @throws AppError invalid-configuration listing every option that is wrong
 */
export function parseTrainingRequest(args: readonly string[], architecture?: string): TrainingRequest {
  return parseRequest(args, { schema: heededRequestSchema, options, usage: trainUsage }, architecture);
}

/**
 * Reads the options of `npm run distil`. @throws AppError invalid-configuration listing every option that
 * is wrong
 */
export function parseDistillationRequest(args: readonly string[]): DistillationRequest {
  const form = { schema: distillationRequestSchema, options: distillationOptions, usage: distilUsage };
  return parseRequest(args, form);
}

/**
 * Reads the options of `npm run summary`, whose batch size is of its table and may be given for every
 * architecture. @throws AppError invalid-configuration listing every option that is wrong
 */
export function parseSummaryRequest(args: readonly string[]): TrainingRequest {
  return parseRequest(args, { schema: trainingRequestSchema, options, usage: trainUsage });
}

/** What a command takes. */
interface CommandForm<T> {
  readonly schema: z.ZodType<T>;
  readonly options: readonly Option[];
  readonly usage: string;
}

function parseRequest<T>(args: readonly string[], form: CommandForm<T>, architecture?: string): T {
  const { schema, options, usage } = form;
  const given = givenOptions(args, form);
  if (architecture !== undefined) given['architecture'] = architecture;
  const request: Record<string, unknown> = {};
  for (const option of options) {
    const text = given[option.flag];
    if (text !== undefined) put(request, option.path, valueOf(option, text));
  }
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => {
    const flag =
      options.find((option) => option.path.every((name, index) => name === path[index]))?.flag ?? '';
    const value = given[flag];
    return `--${flag}${value === undefined ? '' : ` ${String(value)}`}: ${message}`;
  });
  throw new AppError('invalid-configuration', `${problems.join('\n')}\n\n${usage}`);
}

type Given = Record<string, string | boolean | (string | boolean)[] | undefined>;

function givenOptions(
  args: readonly string[],
  { options, usage }: Pick<CommandForm<unknown>, 'options' | 'usage'>,
): Given {
  const known: Record<string, { type: 'boolean' | 'string'; multiple: boolean }> = Object.fromEntries(
    options.map(({ flag, isSwitch, core }) => [
      flag,
      { type: isSwitch ? 'boolean' : 'string', multiple: core instanceof z.ZodArray },
    ]),
  );
  try {
    const { values } = parseArgs({ args: [...args], options: known, strict: true });
    return values;
  } catch (cause) {
    throw new AppError('invalid-configuration', `${(cause as Error).message}\n\n${usage}`, { cause });
  }
}

/** What a text stands for: itself, a number or `none`. What is none of them is for the schema to refuse. */
function valueOf({ core, schema }: Pick<Option, 'core' | 'schema'>, text: Given[string]): unknown {
  if (core instanceof z.ZodArray && Array.isArray(text)) {
    const item = core.element as z.ZodType;
    return text.map((each) => valueOf({ core: item, schema: item }, each));
  }
  if (typeof text !== 'string') return text;
  const number = text.trim() === '' ? NaN : Number(text);
  const readings: readonly unknown[] = [text, number, ...(text === 'none' ? [null] : [])];
  const accepted = readings.find((value) => schema.safeParse(value).success);
  if (accepted !== undefined) return accepted;
  return Number.isNaN(number) ? text : number;
}

function put(request: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    request[first] = value;
    return;
  }
  const group = (request[first] ?? {}) as Record<string, unknown>;
  request[first] = group;
  put(group, rest, value);
}

/**
 * What `npm run trainer` was told: undefined, or how long it waits for a job. @throws AppError
 * malformed-request
 */
export function parseIdleMs(args: readonly string[]): number | undefined {
  if (args.length === 0) return undefined;
  const [option, seconds = ''] = args;
  if (option === '--until-idle' && /^\d{1,6}$/.test(seconds)) return Number(seconds) * 1000;
  throw new AppError('malformed-request', 'npm run trainer -- [--until-idle SECONDS]');
}
