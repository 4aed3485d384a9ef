#!/usr/bin/env node
import WebSocket from 'ws';
import { createClient } from '../../shared/client/client';
import { AppError } from '../../shared/errors/app-error';
import { onStopSignal } from '../../shared/processes/stop-signals';
import { classifyCommand } from './classify-command';
import { parseCommand, usage } from './command-line';
import { readCliConfig } from './config';
import { exitCodeOf, exitCodes } from './exit-codes';
import { listenCommand } from './listen-command';

/** Terminal command: parse → run → exit code. */
async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  if (command.verb === 'help') {
    process.stdout.write(`${usage}\n`);
    return exitCodes.done;
  }
  const config = readCliConfig(process.env);
  const client = createClient({
    baseUrl: command.options.server ?? config.server,
    apiKey: config.apiKey,
    createSocket: (url, protocols) => new WebSocket(url, [...protocols]),
  });
  const { stdin: input, stdout: output, stderr: errors } = process;
  const io = { input, output, errors, signal: onInterrupt() };
  if (command.verb === 'classify') return classifyCommand(client, command.files, command.options, io);
  return listenCommand(client, command.stdin, command.options, io);
}

/** The first Ctrl-C ends the work in good order; a later one does not wait. */
function onInterrupt(): AbortSignal {
  const stop = new AbortController();
  onStopSignal(() => {
    stop.abort();
  });
  return stop.signal;
}

// Whoever reads the lines may stop reading (`| head`): there is nobody left to work for.
process.stdout.on('error', () => process.exit(exitCodes.done));

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (caught: unknown) => {
    const error = AppError.from(caught);
    process.stderr.write(`${error.message}\n`);
    // A bug is shown whole; everything expected has said what to do.
    if (error.code === 'internal')
      process.stderr.write(`${String((error.cause as Error).stack ?? error.cause)}\n`);
    process.exitCode = exitCodeOf(error);
  },
);
