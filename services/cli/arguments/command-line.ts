import type { z } from 'zod';
import { parseAdminCommand, type AdminCommand } from './admin-command-line';
import { classifySchema, listenSchema, parseOptions, wrongUse } from './options';

export type ClassifyOptions = z.infer<typeof classifySchema>;
export type ListenOptions = z.infer<typeof listenSchema>;

export type Command =
  | { readonly verb: 'help' }
  | { readonly verb: 'classify'; readonly files: readonly string[]; readonly options: ClassifyOptions }
  | { readonly verb: 'listen'; readonly stdin: boolean; readonly options: ListenOptions }
  | AdminCommand;

/**
 * Parses the command line.
 * @throws AppError malformed-request that names the mistake and shows the usage
 */
export function parseCommand([verb, ...args]: readonly string[]): Command {
  if (verb === undefined) throw wrongUse('Say what to do.');
  if (verb === 'help' || verb === '--help' || args.includes('--help')) return { verb: 'help' };
  if (verb === 'classify') return parseClassify(args);
  if (verb === 'listen') return parseListen(args);
  const command = parseAdminCommand(verb, args);
  if (command !== undefined) return command;
  throw wrongUse(`There is no command ${verb}.`);
}

function parseClassify(args: readonly string[]): Command {
  const { options, rest } = parseOptions(classifySchema, args);
  const { json, format } = options;
  if (rest.length === 0) throw wrongUse('Name at least one file.');
  if (json && format !== 'text' && format !== 'json') {
    throw wrongUse(`--json is --format json: --format ${format} is another.`);
  }
  return { verb: 'classify', files: rest, options: json ? { ...options, format: 'json' } : options };
}

function parseListen(args: readonly string[]): Command {
  const { options, rest } = parseOptions(listenSchema, args);
  const stdin = rest[0] === '-';
  if (rest.length > (stdin ? 1 : 0)) throw wrongUse(`listen does not take ${rest.join(' ')}; only -.`);
  if (stdin && options['sample-rate'] === undefined) {
    throw wrongUse('Raw PCM does not tell its rate: give --sample-rate.');
  }
  if (!stdin && options['sample-rate'] !== undefined) {
    throw wrongUse(
      '--sample-rate is for standard input (listen -); a microphone is opened at a rate of its own.',
    );
  }
  return { verb: 'listen', stdin, options };
}
