import { join } from 'node:path';
import type { GateDecision } from '../contracts/lifecycle';
import { reportSchema, type Report } from '../contracts/report';
import { isShortage } from '../errors/machine-fault';
import { readTextIfThere } from './unreadable';
import { writeFileAtomically } from '../runtime/write-atomically';

export const reportFileName = 'report.json';

/**
 * Reads a version's report; undefined without a readable one, because a version can be served without.
 * @throws a shortage of the system unchanged, because the file may be readable later
 */
export async function readReport(folder: string): Promise<Report | undefined> {
  const text = await readTextIfThere(join(folder, reportFileName)).catch((caught: unknown) => {
    if (isShortage(caught)) throw caught;
    return undefined;
  });
  if (text === undefined) return undefined;
  try {
    const report: unknown = JSON.parse(text);
    // Returned unparsed, so that a writer who adds to it changes nothing else.
    return reportSchema.safeParse(report).success ? (report as Report) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes the gate's decision into the version's report; does nothing where there is no report.
 * @throws the file system's error
 */
export async function saveDecision(folder: string, gate: GateDecision): Promise<void> {
  const report = await readReport(folder);
  if (report === undefined) return;
  await writeFileAtomically(
    join(folder, reportFileName),
    `${JSON.stringify({ ...report, gate }, null, 2)}\n`,
  );
}
