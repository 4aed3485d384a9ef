import { availableParallelism, cpus } from 'node:os';
import { benchEngine } from './engine-bench';
import { benchPeers } from './peer-bench';
import { benchService } from './service-bench';

/** `npm run bench`: prints Markdown tables, as they stand in bench/README.md. */
async function main(): Promise<void> {
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Node ${process.version}\n`,
  );
  await benchEngine();
  await benchService();
  if (process.argv.includes('--peers')) await benchPeers();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
