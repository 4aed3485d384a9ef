import { join } from 'node:path';
import type { GateDecision } from '../contracts/lifecycle';
import { reportSchema, type Report } from '../contracts/report';
import { isShortage } from '../errors/machine-fault';
import { readTextIfThere } from './unreadable';
import { writeFileAtomically } from '../runtime/write-atomically';

export const reportFileName = 'report.json';

/**
 * A version's report; undefined when it has none that can be read: it can be served without.
 * @throws a shortage, the file system's error: what is there may be read later
 */
export async function readReport(folder: string): Promise<Report | undefined> {
  const text = await readTextIfThere(join(folder, reportFileName)).catch((caught: unknown) => {
    if (isShortage(caught)) throw caught;
    return undefined;
  });
  if (text === undefined) return undefined;
  try {
    const report: unknown = JSON.parse(text);
    // As it stands, so that whoever adds to it changes nothing else.
    return reportSchema.safeParse(report).success ? (report as Report) : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what the gate decided with the version; one that has no report keeps nothing. @throws the file system's error */
export async function keepDecision(folder: string, gate: GateDecision): Promise<void> {
  const report = await readReport(folder);
  if (report === undefined) return;
  await writeFileAtomically(
    join(folder, reportFileName),
    `${JSON.stringify({ ...report, gate }, null, 2)}\n`,
  );
}
