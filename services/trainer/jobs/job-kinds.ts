import type { JobRequest } from '../../../shared/contracts/job-kinds';
import { jobRunsFolder } from '../../../shared/jobs/sweep-runs';
import type { RunMessage, RunOrder } from '../../../shared/jobs/run-messages';
import { raiseFence } from './run-fence';
import type { JobRunner, RunJobContext } from './job-runner';
import { trainingRunner } from './training-job';

type Kind = JobRequest['kind'];

/** How each kind of job is worked on. */
const runners: { readonly [K in Kind]: JobRunner<Extract<JobRequest, { kind: K }>> } = {
  train: trainingRunner,
};

/** Works on a job in a folder of its own, which its runs share. */
export async function runJob(order: RunOrder, context: RunJobContext): Promise<RunMessage> {
  const { request, parent, id, attempts } = order.job;
  const fence = await raiseFence(context.config.modelsFolder, id, attempts);
  const config = { ...context.config, runsFolder: jobRunsFolder(context.config.runsFolder, parent ?? id) };
  const runner: JobRunner<JobRequest> = runners[request.kind];
  return runner.run(request, order, { ...context, config, fence });
}
