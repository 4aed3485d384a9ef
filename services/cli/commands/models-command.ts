import type { AdminClient } from '../../../shared/client/admin-client';
import type { EarshotClient } from '../../../shared/client/client';
import type { ModelSummary, ServingChange } from '../../../shared/contracts/service-status';
import { AppError } from '../../../shared/errors/app-error';
import type { AdminCommand } from '../arguments/admin-command-line';
import type { CommandIo } from '../output/command-io';
import { exitCodes } from '../output/exit-codes';
import { percent } from '../output/lines';

type ChangeCommand = Extract<AdminCommand, { readonly verb: 'promote' | 'rollback' | 'pin' | 'unpin' }>;

/** `earshot models`: prints a line for each version. */
export async function modelsCommand(client: EarshotClient, json: boolean, io: CommandIo): Promise<number> {
  const list = await client.models({ signal: io.signal });
  if (json) io.output.write(`${JSON.stringify(list)}\n`);
  else for (const model of list.models) io.output.write(`${modelLine(model, list.pinned)}\n`);
  for (const { version, reason } of list.problems) {
    io.errors.write(`${version === undefined ? '' : `${version}: `}${reason}\n`);
  }
  return exitCodes.done;
}

/** `earshot promote`, `rollback`, `pin` and `unpin`: changes which version serves. */
export async function changeServingCommand(
  admin: AdminClient,
  client: EarshotClient,
  command: ChangeCommand,
  io: CommandIo,
): Promise<number> {
  const change = await changeServing(admin, client, command);
  const serves = change.served === null ? 'Nothing serves.' : `${change.served} serves.`;
  io.output.write(`${command.options.json ? JSON.stringify(change) : serves}\n`);
  if (change.problem === undefined) return exitCodes.done;
  io.errors.write(`${change.problem}\n`);
  return exitCodes.unavailable;
}

async function changeServing(
  admin: AdminClient,
  client: EarshotClient,
  command: ChangeCommand,
): Promise<ServingChange> {
  if (command.verb === 'promote') return admin.promote(command.version, command.options.waive);
  if (command.verb === 'pin') return admin.pin(command.version);
  const { current, pinned } = await client.models();
  if (command.verb === 'rollback') {
    const version = command.version ?? current;
    if (version === null) throw conflict('No version was promoted yet: there is none to roll back to.');
    return admin.rollBack(version);
  }
  const version = command.version ?? pinned;
  if (version === null) throw conflict('No version is pinned.');
  return admin.unpin(version);
}

function conflict(message: string): AppError {
  return new AppError('conflict', message);
}

/** `encoder-20261130-06c4a343  served, pinned  validation 94.7 %, test 90.0 %` */
function modelLine(model: ModelSummary, pinned: string | null): string {
  const { version, status, reason, validationAccuracy: validation, testAccuracy: test } = model;
  const state = version === pinned ? `${status}, pinned` : status;
  const accuracies = [
    ...(validation === undefined ? [] : [`validation ${percent(validation)}`]),
    ...(test === undefined ? [] : [`test ${percent(test)}`]),
  ];
  return [version, state, reason ?? accuracies.join(', ')].filter((part) => part !== '').join('  ');
}
