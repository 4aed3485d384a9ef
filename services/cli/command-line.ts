import { parseArgs } from 'node:util';
import { z } from 'zod';
import { AppError } from '../../shared/errors/app-error';

export const usage = `earshot classify FILE… [options]   names the sound in recordings; - reads one from standard input
earshot listen [options]           names what the microphone hears, until Ctrl-C
earshot listen - [options]         the same for raw PCM from standard input

  --server URL          default EARSHOT_SERVER, else http://127.0.0.1:8080
  --top N               classes to name, default 3
  --json                a JSON object a line; listen: every message of the service
  --hop SECONDS         step between two windows; listen: default 0.5, classify: half a window
listen:
  --predictions         also a line for every prediction, not only for sounds that start and end
  --device NAME         microphone, as arecord -L or ffmpeg name it; default: the system's
  --sample-rate HZ      of standard input, required there
  --encoding pcm_s16le|pcm_f32le   of standard input, default pcm_s16le
  --channels N          of standard input, interleaved, default 1

EARSHOT_API_KEY holds the key, where the server asks for one.`;

const number = (schema: z.ZodNumber) => z.coerce.number().pipe(schema);

const commonOptions = {
  server: z.url({ protocol: /^https?$/, error: 'expected an address like http://127.0.0.1:8080' }).optional(),
  top: number(z.int().min(1).max(1000)).default(3),
  json: z.boolean().default(false),
  hop: number(z.number().min(0.1).max(60)).optional(),
};
const classifySchema = z.strictObject(commonOptions);
const listenSchema = z.strictObject({
  ...commonOptions,
  predictions: z.boolean().default(false),
  device: z.string().optional(),
  'sample-rate': number(z.int().min(4000).max(1_000_000)).optional(),
  encoding: z.enum(['pcm_s16le', 'pcm_f32le']).default('pcm_s16le'),
  channels: number(z.int().min(1).max(8)).default(1),
});

export type ClassifyOptions = z.infer<typeof classifySchema>;
export type ListenOptions = z.infer<typeof listenSchema>;

export type Command =
  | { readonly verb: 'help' }
  | { readonly verb: 'classify'; readonly files: readonly string[]; readonly options: ClassifyOptions }
  | { readonly verb: 'listen'; readonly stdin: boolean; readonly options: ListenOptions };

const flags = ['json', 'predictions'];

/** @throws AppError malformed-request that says what is wrong, and how it is done */
export function parseCommand([verb, ...args]: readonly string[]): Command {
  if (verb === undefined) throw wrong('Say what to do.');
  if (verb === 'help' || verb === '--help' || args.includes('--help')) return { verb: 'help' };
  if (verb === 'classify') {
    const { options, rest } = parse(classifySchema, args);
    if (rest.length === 0) throw wrong('Name at least one file.');
    return { verb, files: rest, options };
  }
  if (verb === 'listen') return parseListen(args);
  throw wrong(`There is no command ${verb}.`);
}

function parseListen(args: readonly string[]): Command {
  const { options, rest } = parse(listenSchema, args);
  const stdin = rest[0] === '-';
  if (rest.length > (stdin ? 1 : 0)) throw wrong(`listen does not take ${rest.join(' ')}; only -.`);
  if (stdin && options['sample-rate'] === undefined) {
    throw wrong('Raw PCM does not tell its rate: give --sample-rate.');
  }
  if (!stdin && options['sample-rate'] !== undefined) {
    throw wrong(
      '--sample-rate is for standard input (listen -); a microphone is opened at a rate of its own.',
    );
  }
  return { verb: 'listen', stdin, options };
}

function parse<T extends z.ZodObject>(
  schema: T,
  args: readonly string[],
): { options: z.infer<T>; rest: string[] } {
  const names = Object.keys(schema.shape);
  const options = Object.fromEntries(
    names.map((name) => [name, { type: flags.includes(name) ? ('boolean' as const) : ('string' as const) }]),
  );
  let given: { values: Record<string, unknown>; positionals: string[] };
  try {
    given = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (cause) {
    throw wrong((cause as Error).message, cause);
  }
  const parsed = schema.safeParse(given.values);
  if (parsed.success) return { options: parsed.data, rest: given.positionals };
  const problems = parsed.error.issues.map(
    ({ path, message }) => `--${path.join('.')} ${String(given.values[String(path[0])])}: ${message}`,
  );
  throw wrong(problems.join('\n'));
}

function wrong(what: string, cause?: unknown): AppError {
  return new AppError('malformed-request', `${what}\n\n${usage}`, { cause });
}
