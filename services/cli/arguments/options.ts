import { parseArgs } from 'node:util';
import { z } from 'zod';
import { gateChecks } from '../../../shared/contracts/lifecycle';
import { AppError } from '../../../shared/errors/app-error';
import { answerFormats } from '../recordings/results';

export const usage = `earshot classify PATH… [options]   names the sound in recordings: files, folders with all below them, - for standard input
earshot listen [options]           names what the microphone hears, until Ctrl-C
earshot listen - [options]         the same for raw PCM from standard input
earshot datasets                   lists the datasets
earshot datasets add NAME PATH…    brings recordings and a CSV: files, a folder of them, or a zip
earshot datasets remove NAME
earshot train [options]            trains a network and shows how it goes, until it has ended or Ctrl-C
earshot jobs [ID]                  lists the jobs, or shows one
earshot jobs follow|cancel|resume ID
earshot models                     lists the versions, and which one serves
earshot promote VERSION            makes it serve, if the gate lets it
earshot rollback [VERSION]         leaves the version that serves for the one before
earshot pin VERSION; unpin         serves it whatever is promoted, until it is unpinned

  --server URL          default EARSHOT_SERVER, else http://127.0.0.1:8080
  --json                a JSON object a line: what the service answers
classify, listen:
  --top N               classes to name, default 3
  --hop SECONDS         step between two windows; listen: default 0.5, classify: half a window
classify:
  --format text|json|csv|audacity|raven   what is written; --json is --format json
  --events              names each sound with its onset and offset; csv, audacity and raven always do
  --output PATH         the file of json and csv, the folder of audacity and raven, which have a file for each recording. A later run asks
                        only for what is not in it yet, or was changed since (by path, size and time), whatever its options
  Exit code: 0 where every recording has its answer; else that of the first which has none: 65 it cannot be judged, 66 it cannot be read,
  69 there is no service, 75 the service was busy five times, 77 it asks for a key; 130 after Ctrl-C
listen:
  --predictions         also a line for every prediction, not only for sounds that start and end
  --name NAME, --tag TAG   of the source, in every event; --tag may be repeated
  --device NAME         microphone, as arecord -L or ffmpeg name it; default: the system's
  --sample-rate HZ      of standard input, required there
  --encoding pcm_s16le|pcm_f32le   of standard input, default pcm_s16le
  --channels N          of standard input, interleaved, default 1
train:
  --dataset NAME        default: the trainer's own (ESC-50)
  --architecture NAME   encoder, the default: a head on the pretrained encoder, learnt in seconds from a few recordings; every fold
                        validates in turn, and none is kept to test on. small: the same on the small encoder. cnn, transformer:
                        a network of its own
  --cross-validate      a network for each fold that validates, all in one version
  --test-fold N|none, --validation-fold N, --seed N   default 1 (encoder, small: none), 2, 1
  --epochs N, --batch-size N, --learning-rate X, --dropout X   default: the architecture's
  --promote             lets it serve at once, if the gate lets it
  --detach              prints the job's ID and does not wait
promote:
  --waive CHECK,…       ${gateChecks.join(', ')}: shall not count

EARSHOT_API_KEY holds the key, where the server asks for one. An admin key for a server of this user on this machine is found by itself.`;

/** Schema of an option whose text is a number. */
export function number(schema: z.ZodNumber): z.ZodPipe<z.ZodCoercedNumber, z.ZodNumber> {
  return z.coerce.number().pipe(schema);
}

export const commonOptions = {
  server: z.url({ protocol: /^https?$/, error: 'expected an address like http://127.0.0.1:8080' }).optional(),
  json: z.boolean().default(false),
};
const classifyingOptions = {
  ...commonOptions,
  top: number(z.int().min(1).max(1000)).default(3),
  hop: number(z.number().min(0.1).max(60)).optional(),
};
export const classifySchema = z.strictObject({
  ...classifyingOptions,
  format: z.enum(answerFormats).default('text'),
  output: z.string().min(1).optional(),
  events: z.boolean().default(false),
});
export const listenSchema = z.strictObject({
  ...classifyingOptions,
  predictions: z.boolean().default(false),
  name: z.string().optional(),
  tag: z.array(z.string()).default([]),
  device: z.string().optional(),
  'sample-rate': number(z.int().min(4000).max(1_000_000)).optional(),
  encoding: z.enum(['pcm_s16le', 'pcm_f32le']).default('pcm_s16le'),
  channels: number(z.int().min(1).max(8)).default(1),
});

/** Names of the options without a value. */
const flags = ['json', 'events', 'predictions', 'cross-validate', 'promote', 'detach'];
/** Names of the options that may be repeated. */
const lists = ['tag'];

/** Parses options by a schema. @throws AppError malformed-request that names each invalid option */
export function parseOptions<T extends z.ZodObject>(
  schema: T,
  args: readonly string[],
): { options: z.infer<T>; rest: string[] } {
  const names = Object.keys(schema.shape);
  const options = Object.fromEntries(
    names.map((name) => [
      name,
      {
        type: flags.includes(name) ? ('boolean' as const) : ('string' as const),
        multiple: lists.includes(name),
      },
    ]),
  );
  let given: { values: Record<string, unknown>; positionals: string[] };
  try {
    given = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (cause) {
    throw wrongUse((cause as Error).message, cause);
  }
  const parsed = schema.safeParse(given.values);
  if (parsed.success) return { options: parsed.data, rest: given.positionals };
  const problems = parsed.error.issues.map(
    ({ path, message }) => `--${String(path[0])} ${String(given.values[String(path[0])])}: ${message}`,
  );
  throw wrongUse(problems.join('\n'));
}

export function wrongUse(what: string, cause?: unknown): AppError {
  return new AppError('malformed-request', `${what}\n\n${usage}`, { cause });
}
