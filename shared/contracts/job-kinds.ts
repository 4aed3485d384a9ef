import { z } from 'zod';
import type { JobKind } from './job-kind';
import { trainingJob, trainingJobSchema } from './training-job';

/** `POST /jobs`: one schema for each kind of job. */
export const jobRequestSchema = z.discriminatedUnion('kind', [trainingJobSchema]);
export type JobRequest = z.infer<typeof jobRequestSchema>;
/** A job as it is asked for; what is left out is the service's default. */
export type NewJob = z.input<typeof jobRequestSchema>;

const jobKinds: { readonly [Kind in JobRequest['kind']]: JobKind<Extract<JobRequest, { kind: Kind }>> } = {
  train: trainingJob,
};

/** A new job. Its kind may refuse what it accepts of stored jobs. */
export const newJobSchema = jobRequestSchema.superRefine((request, context) => {
  kindOf(request).checkNew?.(request, context);
});

/** What a job is about; the name of its kind where another version of the service made it. */
export function subjectOf(request: JobRequest): string {
  return request.kind in jobKinds ? kindOf(request).subject(request) : request.kind;
}

/** The dataset of the service that a job reads, where it reads one. */
export function datasetOf(request: JobRequest): string | undefined {
  return 'dataset' in request ? request.dataset : undefined;
}

/** The folds that a job's dataset must have, by the field of the request that asks for each. */
export function foldsAskedBy(request: JobRequest): Readonly<Record<string, number>> {
  return kindOf(request).folds?.(request) ?? {};
}

function kindOf({ kind }: JobRequest): JobKind<JobRequest> {
  return jobKinds[kind];
}
