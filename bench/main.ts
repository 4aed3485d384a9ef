import { availableParallelism, cpus } from 'node:os';
import { benchEngine } from './engine-bench';
import { benchRobustness } from './robustness-bench';
import { benchService } from './service-bench';

/** `npm run bench`: prints Markdown tables, as they stand in bench/README.md; `-- robustness` the accuracy on distorted sound. */
async function main(): Promise<void> {
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Node ${process.version}\n`,
  );
  if (process.argv.includes('robustness')) {
    await benchRobustness();
    return;
  }
  await benchEngine();
  await benchService();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
