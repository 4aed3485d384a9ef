import { classificationSchema } from '../shared/contracts/classification';
import { Connection } from './connection';
import { freshSounds } from './fresh-sounds';
import { startService } from './service';

/**
 * Counts how many sounds of no class the service takes for a class. No version was selected by these
 * sounds.
 */
export async function benchUnknown(): Promise<void> {
  const service = await startService();
  const connection = new Connection(service.port);
  const labels = new Map<string, string[]>();
  try {
    for (const { kind, wav } of await freshSounds()) {
      const { body } = await connection.ask({ contentType: 'audio/wav', bytes: wav });
      const { label } = classificationSchema.parse(JSON.parse(body));
      labels.set(kind, [...(labels.get(kind) ?? []), label]);
    }
  } finally {
    connection.close();
    await service.stop();
  }
  console.log('\n| sounds of no class | sent | taken for a class | for which |\n|---|---|---|---|');
  for (const [kind, heard] of [...labels, ['all', [...labels.values()].flat()] as const]) {
    const taken = heard.filter((label) => label !== 'unknown');
    const share = `${((100 * taken.length) / heard.length).toFixed(0)} %`;
    console.log(
      `| ${kind} | ${heard.length} | ${taken.length} (${share}) | ${[...new Set(taken)].join(', ')} |`,
    );
  }
}
