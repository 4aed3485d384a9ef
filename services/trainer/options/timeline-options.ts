import { parseArgs } from 'node:util';
import { z } from 'zod';
import { isCsv } from '../../../shared/datasets/csv-file';
import { AppError } from '../../../shared/errors/app-error';

const number = z.string().transform(Number);
const positive = number.pipe(z.number().positive().max(1e6));

const optionsSchema = z.object({
  background: z.string().optional(),
  'background-where': z
    .string()
    .regex(/^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$/, 'expected COLUMN=VALUE,…')
    .optional(),
  hours: positive.pipe(z.number().max(24)).default(1),
  events: number.pipe(z.int().min(1).max(100_000)).default(200),
  'signal-to-background': z
    .string()
    .regex(/^-?\d+(\.\d+)?:-?\d+(\.\d+)?$/, 'expected LOWEST:HIGHEST in dB')
    .default('6:30'),
  seed: number
    .pipe(
      z
        .int()
        .min(0)
        .max(2 ** 31),
    )
    .default(1),
  'false-alarms-per-hour': positive.optional(),
  'window-seconds': positive.pipe(z.number().min(0.5)).optional(),
  'hop-seconds': positive.pipe(z.number().min(0.1)).optional(),
  json: z.boolean().default(false),
  data: z.string().optional(),
  csv: z.string().optional(),
  'esc10-only': z.boolean().default(false),
});
export type TimelineOptions = z.infer<typeof optionsSchema> & {
  /** Undefined: the version that serves. */
  readonly version: string | undefined;
  /** CSV files. */
  readonly timelines: readonly string[];
};

const switches: readonly string[] = ['json', 'esc10-only'];

/** What `npm run evaluate` takes beside a version alone. */
export const timelineUsage = `npm run evaluate -- [VERSION] TIMELINE.csv… | --background FOLDER [--background-where COLUMN=VALUE,…]
                  the events that its stream reports in labelled recordings (CSV: onset,offset,label[,filename]), or
                  in mixes of the data set's clips into a folder's recordings ([--hours 1] [--events 200] [--seed 1]
                  [--signal-to-background 6:30] dB). --false-alarms-per-hour N chooses each class's threshold, for
                  mixes on the clips that validate, and stores it; else it is judged on those of the test fold.
                  [--window-seconds N] [--hop-seconds N] as of start; --json`;

/** Whether a command line of `npm run evaluate` is of timelines. */
export function isOfTimelines(args: readonly string[]): boolean {
  return args.some(
    (arg, index) =>
      arg.startsWith('--background') || (isCsv(arg) && !arg.startsWith('-') && args[index - 1] !== '--csv'),
  );
}

/** @throws AppError invalid-configuration that says what is wrong */
export function parseTimelineOptions(args: readonly string[]): TimelineOptions {
  const { values, positionals } = read(args);
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}`);
    throw refuse(problems.join('\n'));
  }
  const timelines = positionals.filter(isCsv);
  const [version, ...more] = positionals.filter((name) => !isCsv(name));
  if (more.length > 0) throw refuse(`One version at a time: ${more.join(', ')}`);
  if (timelines.length > 0 && parsed.data.background !== undefined) {
    throw refuse('Either timelines or a background to mix clips into.');
  }
  if (timelines.length === 0 && parsed.data.background === undefined) {
    throw refuse('--background-where is of --background.');
  }
  return { ...parsed.data, version, timelines };
}

function read(args: readonly string[]): {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
} {
  const options = Object.fromEntries(
    Object.keys(optionsSchema.shape).map((name) => [
      name,
      { type: switches.includes(name) ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values, positionals };
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
}

function refuse(problem: string, cause?: unknown): AppError {
  return new AppError('invalid-configuration', `${problem}\n\n${timelineUsage}`, { cause });
}
