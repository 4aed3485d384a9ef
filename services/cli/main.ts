#!/usr/bin/env node
import WebSocket from 'ws';
import { createAdminClient } from '../../shared/client/admin-client';
import { createClient } from '../../shared/client/client';
import type { ClientOptions } from '../../shared/client/options';
import { AppError } from '../../shared/errors/app-error';
import { onStopSignal } from '../../shared/runtime/processes/stop-signals';
import type { AdminCommand } from './arguments/admin-command-line';
import { classifyCommand } from './commands/classify-command';
import type { CommandIo } from './output/command-io';
import { parseCommand } from './arguments/command-line';
import { readCliConfig, type CliConfig } from './config';
import { datasetsCommand } from './commands/datasets-command';
import { exitCodeOf, exitCodes } from './output/exit-codes';
import { findKey } from './arguments/find-key';
import { problemLines } from './output/lines';
import { jobsCommand, trainCommand } from './commands/jobs-command';
import { listenCommand } from './commands/listen-command';
import { changeServingCommand, modelsCommand } from './commands/models-command';
import { usage } from './arguments/options';

/** Parses the arguments and runs the command. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  if (command.verb === 'help') {
    process.stdout.write(`${usage}\n`);
    return exitCodes.done;
  }
  const config = readCliConfig();
  const { stdin: input, stdout: output, stderr: errors } = process;
  const io = { input, output, errors, signal: onInterrupt() };
  const server = command.options.server ?? config.server;
  if (command.verb !== 'classify' && command.verb !== 'listen')
    return administer(command, server, config, io);
  const client = createClient({
    baseUrl: server,
    apiKey: config.apiKey,
    createSocket: (url, protocols) => new WebSocket(url, [...protocols]),
  });
  if (command.verb === 'classify') return classifyCommand(client, command.files, command.options, io);
  return listenCommand(client, command.stdin, command.options, io);
}

/**
 * Runs an admin command, with the key of EARSHOT_API_KEY or the one that the server stored for its user.
 */
async function administer(
  command: AdminCommand,
  server: string,
  { apiKey, adminKeyFolders }: CliConfig,
  io: CommandIo,
): Promise<number> {
  const found = apiKey === undefined ? await findKey(server, adminKeyFolders) : undefined;
  const options = { baseUrl: found?.server ?? server, apiKey: apiKey ?? found?.key, signal: io.signal };
  try {
    return await run(command, options, io);
  } catch (caught) {
    const error = AppError.from(caught);
    if (error.code !== 'unauthorized' || options.apiKey !== undefined) throw caught;
    throw new AppError(
      'unauthorized',
      `${server} asks for an admin key. Give one in EARSHOT_API_KEY. (Of a server of this user on this machine it is found by itself, ` +
        `by the server's own address: in ${adminKeyFolders.join(', ')} there is none.)`,
      { cause: caught },
    );
  }
}

function run(
  command: AdminCommand,
  options: ClientOptions & { readonly signal: AbortSignal },
  io: CommandIo,
): Promise<number> {
  const admin = createAdminClient(options);
  if (command.verb === 'train') return trainCommand(admin, command.options, io);
  if (command.verb === 'jobs') return jobsCommand(admin, command, io);
  if (command.verb === 'datasets') return datasetsCommand(admin, command, io);
  const client = createClient(options);
  if (command.verb === 'models') return modelsCommand(client, command.options.json, io);
  return changeServingCommand(admin, client, command, io);
}

/**
 * A signal that aborts at the first Ctrl-C, so that the command ends in good order; a second one kills
 * it.
 */
function onInterrupt(): AbortSignal {
  const stop = new AbortController();
  onStopSignal(() => {
    stop.abort();
  });
  return stop.signal;
}

// The reader of the output may close it early (`| head`); the command then ends.
process.stdout.on('error', () => process.exit(exitCodes.done));

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (caught: unknown) => {
    const error = AppError.from(caught);
    process.stderr.write(`${error.message}\n`);
    for (const line of problemLines(error)) process.stderr.write(`  ${line}\n`);
    // Bugs are shown with their stack; messages of expected errors already say what to do.
    if (error.code === 'internal')
      process.stderr.write(`${String((error.cause as Error).stack ?? error.cause)}\n`);
    process.exitCode = exitCodeOf(error);
  },
);
