import type { AdminClient } from '../../../shared/client/admin-client';
import type { DatasetDetails, DatasetList } from '../../../shared/contracts/dataset';
import type { AdminCommand } from '../arguments/admin-command-line';
import type { CommandIo } from '../output/command-io';
import { openDatasetFiles } from './dataset-files';
import { exitCodes } from '../output/exit-codes';
import { counted } from '../output/lines';

/** `earshot datasets`: lists the datasets, adds one or removes one. */
export async function datasetsCommand(
  client: AdminClient,
  { action, name, paths, options }: Extract<AdminCommand, { readonly verb: 'datasets' }>,
  { output, errors }: CommandIo,
): Promise<number> {
  if (action === 'remove') {
    await client.removeDataset(name);
    errors.write(`${name} is removed.\n`);
  } else if (action === 'add') {
    const details = await client.addDataset(name, await openDatasetFiles(paths));
    output.write(`${options.json ? JSON.stringify(details) : detailsLine(details)}\n`);
    for (const warning of details.warnings) errors.write(`Warning: ${warning}\n`);
  } else {
    const { datasets } = await client.datasets();
    for (const dataset of datasets) {
      output.write(`${options.json ? JSON.stringify(dataset) : summaryLine(dataset)}\n`);
    }
    if (datasets.length === 0)
      errors.write('There are no datasets; earshot datasets add NAME PATH… brings one.\n');
  }
  return exitCodes.done;
}

/** `kitchen: 40 clips, 2 classes, 5 folds`, and the number of problems if there are any. */
function summaryLine({
  name,
  clips,
  classCount,
  foldCount,
  problemCount,
}: DatasetList['datasets'][number]): string {
  const counts = [
    counted(clips, 'clip'),
    counted(classCount, 'class', 'classes'),
    counted(foldCount, 'fold'),
  ];
  if (problemCount > 0) counts.push(counted(problemCount, 'problem'));
  return `${name}: ${counts.join(', ')}`;
}

function detailsLine(details: DatasetDetails): string {
  const classes = details.classes.map(({ name, clips }) => `${name} ${clips}`).join(', ');
  return `${summaryLine(details)} (${classes})${details.foldsMade ? '; the folds were made' : ''}`;
}
