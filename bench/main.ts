import { availableParallelism, cpus } from 'node:os';
import { benchDecode } from './decode-bench';
import { benchEngine } from './engine-bench';
import { benchOutage } from './outage-bench';
import { benchOverload } from './overload-bench';
import { benchOverhead } from './overhead-bench';
import { benchPeers } from './peer-bench';
import { benchPromotions } from './promotion-bench';
import { benchReloads } from './reload-bench';
import { benchRobustness } from './robustness-bench';
import { benchService } from './service-bench';
import { benchSigterm } from './sigterm-bench';
import { benchSoak } from './soak-bench';
import { benchStreams } from './stream-bench';
import { benchTrainers } from './trainers-bench';
import { benchUnknown } from './unknown-bench';

/** Benchmarks by option. Without an option the engine, the decoder and the service are measured. */
const benches: Readonly<Record<string, () => Promise<void>>> = {
  '--engine': () => benchEngine(),
  '--decode': benchDecode,
  '--streams': benchStreams,
  '--overhead': benchOverhead,
  '--overload': benchOverload,
  '--soak': benchSoak,
  '--sigterm': benchSigterm,
  '--robustness': benchRobustness,
  '--unknown': benchUnknown,
  '--promotions': benchPromotions,
  '--reloads': benchReloads,
  '--trainers': benchTrainers,
  '--outage': benchOutage,
  '--peers': async () => {
    await benchEngine();
    await benchPeers(['cnn', 'encoder']);
  },
  '--encoder': async () => {
    await benchEngine('encoder');
    await benchPeers(['encoder']);
  },
};

/** `npm run bench`: prints the Markdown tables of bench/README.md. */
async function main(): Promise<void> {
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Node ${process.version}\n`,
  );
  const chosen = Object.entries(benches).filter(([name]) => process.argv.includes(name));
  for (const [, bench] of chosen) await bench();
  if (chosen.length > 0) return;
  await benchEngine();
  await benchDecode();
  await benchService();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
