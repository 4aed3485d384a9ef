import type { JobProgress } from '../../../shared/contracts/job';
import type { JobRequest } from '../../../shared/contracts/job-kinds';
import type { RunMessage, RunOrder } from '../../../shared/jobs/run-messages';
import type { CommandContext } from '../context/training-context';

export interface RunJobContext extends CommandContext {
  readonly onProgress: (progress: JobProgress) => void;
}

/** How one kind of job is worked on, in a process of its own. */
export interface JobRunner<Request extends JobRequest> {
  /**
   * The context has the folder for the job's state (`config.runsFolder`), which a later attempt finds as
   * the earlier one left it, and the fence that tells whether the job is still this attempt's.
   * @param request the one of `order.job`
   * @returns `finished`; or `planned`, with the requests of the job's runs: each becomes a job, and this
   * job is run again when all have finished
   * @throws AppError with which the job fails
   */
  run(request: Request, order: RunOrder, context: RunJobContext): Promise<RunMessage>;
}
