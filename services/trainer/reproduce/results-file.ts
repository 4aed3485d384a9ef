import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { epochEvaluationSchema, reportSchema, type Report } from '../../../shared/contracts/report';
import { protocolSchema } from '../../../shared/contracts/manifest';
import { AppError } from '../../../shared/errors/app-error';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';

const fold = z.int().min(1);
const testedEpochSchema = epochEvaluationSchema.required({ test: true });

/** A report of this protocol: both epochs were judged, and on the test fold too. */
const testedReportSchema = reportSchema.extend({
  configuration: reportSchema.shape.configuration.extend({
    protocol: protocolSchema.extend({ testFold: fold, validationFold: fold }),
  }),
  evaluations: z.strictObject({ best: testedEpochSchema, last: testedEpochSchema }),
});
export type TestedReport = z.infer<typeof testedReportSchema>;

const resultSchema = z.union([
  z.strictObject({ report: testedReportSchema }),
  /** The run ended with this message instead of a network. */
  z.strictObject({ diverged: z.string() }),
]);
export type RunResult = z.infer<typeof resultSchema>;

export function testedResult(report: Report): RunResult {
  return { report: testedReportSchema.parse(report) };
}

const fileSchema = z.strictObject({ formatVersion: z.literal(1), runs: z.record(z.string(), resultSchema) });

/**
 * Finished runs by `runName`, which is unique to settings and data: what is there need not be run again.
 */
export interface ResultsFile {
  readonly runs: ReadonlyMap<string, RunResult>;
  /** Adds a result. When it returns, the result is on disk, whole or not at all. */
  add(name: string, result: RunResult): Promise<void>;
}

/** @throws AppError invalid-checkpoint when the file is not what `add` writes */
export async function openResults(path: string): Promise<ResultsFile> {
  await mkdir(dirname(path), { recursive: true });
  const runs = new Map(Object.entries(await readRuns(path)));
  return {
    runs,
    add: async (name, result) => {
      runs.set(name, result);
      const content = { formatVersion: 1, runs: Object.fromEntries(runs) };
      await writeFileAtomically(path, `${JSON.stringify(content)}\n`);
    },
  };
}

async function readRuns(path: string): Promise<Record<string, RunResult>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return fileSchema.parse(JSON.parse(text)).runs;
  } catch (cause) {
    const message = `${path} is not a results file of this version of Earshot: move it away to start anew.`;
    throw new AppError('invalid-checkpoint', message, { cause });
  }
}
