import { writeSync } from 'node:fs';
import { createNetwork } from '../../shared/compute/network/create-network';
import { architectureOf } from '../../shared/contracts/members';
import { AppError } from '../../shared/errors/app-error';
import { assertTrains } from '../../shared/jobs/assert-trains';
import { captureOutput } from '../../shared/observability/capture-output';
import { createLogger, type Logger } from '../../shared/observability/logger';
import { onStopSignal } from '../../shared/runtime/processes/stop-signals';
import { openRegistry } from '../../shared/registry/registry';
import { createStatusLine } from '../../shared/observability/status-line';
import { readTrainerConfig } from './options/config';
import { downloadEsc50, esc50Url, type DownloadProgress } from './data/data-download';
import {
  asksForHelp,
  distilUsage,
  flagOf,
  parseSummaryRequest,
  parseTrainingRequest,
  usage,
} from './options/command-line';
import { distilCommand } from './distil/distil-command';
import { evaluateCommand } from './evaluate-command';
import { jobCommand } from './jobs/job-command';
import { workCommand } from './jobs/work-command';
import { reproduceCommand } from './reproduce/reproduce-command';
import { configureRecipe } from './recipes/configure-recipe';
import { describeRecipes } from './recipes/recipes';
import { describeHolding, summarise } from './report/summary';
import { tagsCommand } from './tags/tags-command';
import { trainCommand } from './train/train-command';

/** sysexits.h: what a shell script can tell apart. */
const exitCodes = {
  usage: 64,
  data: 65,
  unavailable: 69,
  software: 70,
  configuration: 78,
  interrupted: 130,
} as const;

/** What trains, or draws a report of it. */
const trainingVerbs: ReadonlySet<string> = new Set(['train', 'reproduce', 'evaluate', 'work', 'job']);

/** Terminal command: parse → run → exit code. */
async function main([verb, ...args]: readonly string[]): Promise<void> {
  const config = readTrainerConfig();
  const output = process.stdout;
  const stop = new AbortController();
  // The first signal ends the run between two batches; a later one ends the process.
  onStopSignal(() => {
    stop.abort();
  });
  if (asksForHelp(args)) {
    output.write(`${verb === 'distil' ? distilUsage : `${usage}\n\n${describeRecipes()}`}\n`);
    return;
  }
  assertInstalled(verb);
  switch (verb) {
    case 'train':
      await trainCommand(parseTrainingRequest(args), { config, output, signal: stop.signal });
      return;
    case 'reproduce':
      await reproduceCommand(parseTrainingRequest(args), { config, output, signal: stop.signal });
      return;
    case 'evaluate':
      await evaluateCommand(args, { config, output, signal: stop.signal });
      return;
    case 'distil':
      await distilCommand(args, { config, output, signal: stop.signal });
      return;
    case 'tags':
      await tagsCommand(args, { config, output, signal: stop.signal });
      return;
    case 'summary':
      output.write(`${await summaryOf(args, config.modelsFolder)}\n`);
      return;
    case 'data':
      await downloadData(config.dataFolder, stop.signal);
      return;
    case 'work':
      logger = createLogger(config.logLevel);
      captureOutput(logger);
      await workCommand(__filename, args, { config, logger, signal: stop.signal });
      // A Redis that is not there is still waited for by what was to tell it goodbye.
      process.exit();
    case 'job':
      await jobCommand(config, stop);
      return;
    default:
      throw new AppError('malformed-request', usage);
  }
}

/** @throws AppError engine-unavailable where an installation that only serves is to train */
function assertInstalled(verb: string | undefined): void {
  if (verb !== undefined && trainingVerbs.has(verb)) assertTrains();
}

async function downloadData(folder: string, signal: AbortSignal): Promise<void> {
  const line = createStatusLine(process.stdout);
  try {
    await downloadEsc50({
      url: esc50Url,
      folder,
      signal,
      onProgress: (progress) => {
        line.update(downloadLine(progress));
      },
    });
    line.print(
      `ESC-50 is in ${folder}; train on its ESC-10 part with: npm run train -- ${flagOf('esc10Only')}`,
    );
  } finally {
    line.close();
  }
}

function downloadLine(progress: DownloadProgress): string {
  if (progress.phase === 'unpack') return `Unpacking ESC-50: ${progress.done} of ${progress.total} files`;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const total = progress.totalBytes === undefined ? '' : ` of ${megabytes(progress.totalBytes)}`;
  return `Fetching ESC-50: ${megabytes(progress.bytes)}${total} MB`;
}

async function summaryOf(
  [architecture = 'cnn', ...options]: readonly string[],
  modelsFolder: string,
): Promise<string> {
  const request = parseSummaryRequest([`${flagOf('architecture')}=${architecture}`, ...options]);
  const { network: config, recipe } = configureRecipe(request);
  const network = createNetwork(config, 10);
  const { versions } = await openRegistry(modelsFolder).list();
  const manifests = versions.map(({ manifest }) => manifest);
  const held = manifests.filter((manifest) => architectureOf(manifest) === request.architecture);
  return [
    summarise(network, recipe.frontEnds[0], request.hyperparameters.batchSize ?? 32),
    ...held.map((manifest) => `In ${modelsFolder}: ${describeHolding(manifest)}`),
  ].join('\n');
}

function exitCodeOf(error: AppError): number {
  switch (error.code) {
    case 'malformed-request':
      return exitCodes.usage;
    case 'invalid-configuration':
      return exitCodes.configuration;
    case 'invalid-dataset':
    case 'invalid-checkpoint':
      return exitCodes.data;
    case 'engine-unavailable':
    case 'unreachable':
      return exitCodes.unavailable;
    case 'cancelled':
      return exitCodes.interrupted;
    default:
      return 1;
  }
}

/** The log of a command that runs for long and unseen: what is wrong goes there. */
let logger: Logger | undefined;

// Node would print an error with all its fields, and those of a refused command hold passwords.
process.on('uncaughtException', (error) => {
  if (logger === undefined) process.stderr.write(`${String(error.stack)}\n`);
  else logger.fatal({ err: error }, 'a defect: stopping');
  process.exit(exitCodes.software);
});

function report(error: AppError): void {
  // A bug is shown whole; everything expected has said what to do.
  const isBug = error.code === 'internal';
  const isForStarter = error.code === 'invalid-configuration' || error.code === 'malformed-request';
  if (logger !== undefined && !isForStarter) {
    logger.fatal({ code: error.code, err: isBug ? error : undefined }, error.message);
    return;
  }
  const stack = isBug ? `${String((error.cause as Error).stack ?? error.cause)}\n` : '';
  // Past what is captured for the log.
  writeSync(process.stderr.fd, `${error.message}\n${stack}`);
}

main(process.argv.slice(2)).catch((caught: unknown) => {
  const error = AppError.from(caught);
  report(error);
  process.exitCode = exitCodeOf(error);
  if (error.code === 'unreachable') process.exit();
});
