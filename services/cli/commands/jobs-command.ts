import type { AdminClient } from '../../../shared/client/admin-client';
import type { NewJob } from '../../../shared/contracts/job-kinds';
import type { Job } from '../../../shared/contracts/job';
import { errorCodes } from '../../../shared/errors/app-error';
import type { AdminCommand, TrainOptions } from '../arguments/admin-command-line';
import type { CommandIo } from '../output/command-io';
import { exitCodeOf, exitCodes } from '../output/exit-codes';
import { jobLine, percent } from '../output/lines';
import { watchJob } from './watch-job';

/** `earshot train`: submits a job and shows its progress. */
export async function trainCommand(
  client: AdminClient,
  options: TrainOptions,
  io: CommandIo,
): Promise<number> {
  const { id } = await client.submitJob(requestOf(options));
  if (!options.detach) return followCommand(client, id, options.json, io);
  io.output.write(`${id}\n`);
  return exitCodes.done;
}

/** `earshot jobs`: lists the jobs, or shows, follows, cancels or resumes one. */
export async function jobsCommand(
  client: AdminClient,
  { action, id, options: { json } }: Extract<AdminCommand, { readonly verb: 'jobs' }>,
  io: CommandIo,
): Promise<number> {
  if (action === 'follow') return followCommand(client, id, json, io);
  if (action === 'list') {
    for (const job of await client.jobs()) {
      // The runs of a cross-validation or a grid are shown in the line of their parent.
      if (json || job.parent === undefined) io.output.write(`${json ? JSON.stringify(job) : jobLine(job)}\n`);
    }
    return exitCodes.done;
  }
  const calls = {
    show: () => client.job(id),
    cancel: () => client.cancelJob(id),
    resume: () => client.resumeJob(id),
  };
  const job = await calls[action]();
  io.output.write(`${json ? JSON.stringify(job) : jobLine(job)}\n`);
  return exitCodes.done;
}

/** Waits until the job has ended and prints its versions, a line each. Ctrl-C does not end the job. */
async function followCommand(
  client: AdminClient,
  id: string,
  json: boolean,
  { output, errors, signal }: CommandIo,
): Promise<number> {
  const job = await watchJob(client, id, { errors, signal, ...(json && { output }) });
  if (job === undefined) {
    errors.write(`The job goes on: earshot jobs follow ${id} shows it, earshot jobs cancel ${id} ends it.\n`);
    return exitCodes.interrupted;
  }
  if (job.state !== 'finished') {
    errors.write(`${failureText(job)}\n`);
    const code = errorCodes.find((known) => known === job.error?.code);
    return code === undefined ? exitCodes.tryLater : exitCodeOf({ code });
  }
  const { versions, runs, promotion, advice = [] } = job.result!;
  if (!json) for (const version of versions) output.write(`${version}\n`);
  for (const { name, validationAccuracy, testAccuracy } of runs) {
    const test = testAccuracy === undefined ? '' : `, test ${percent(testAccuracy)}`;
    errors.write(`${name}: validation ${percent(validationAccuracy)}${test}\n`);
  }
  for (const sentence of advice) errors.write(`${sentence}\n`);
  if (promotion !== undefined) errors.write(`${promotion}\n`);
  return exitCodes.done;
}

function failureText({ id, state, error }: Job): string {
  const why = error === undefined ? '' : `: ${error.message}`;
  return `The job ${state === 'failed' ? 'failed' : 'was cancelled'}${why} (earshot jobs resume ${id})`;
}

function requestOf(options: TrainOptions): NewJob {
  // A head is trained on few recordings, so by default every fold validates in turn and none is held
  // out.
  const isHead = ['encoder', 'small'].includes(options.architecture);
  const hyperparameters = {
    epochs: options.epochs,
    batchSize: options['batch-size'],
    learningRate: options['learning-rate'],
    dropout: options.dropout,
  };
  return {
    kind: 'train',
    architecture: options.architecture,
    hyperparameters,
    protocol: {
      testFold: options['test-fold'] === undefined ? (isHead ? null : 1) : options['test-fold'],
      validationFold: options['validation-fold'],
      crossValidate: options['cross-validate'] ?? isHead,
    },
    dataset: options.dataset,
    seed: options.seed,
    promote: options.promote ? 'if-better' : 'never',
  };
}
