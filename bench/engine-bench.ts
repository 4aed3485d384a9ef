import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { NetworkConfig } from '../shared/contracts/architecture';
import type { KernelsWish } from '../shared/engine/choose-engine';
import { isNative } from '../shared/engine/native-network';
import { batchSizes, type EngineRow } from './engine-row';

const networks: readonly NetworkConfig[] = [
  { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' },
  { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 1024 },
  { architecture: 'mel-small', dropout: 0.3 },
  { architecture: 'mel', dropout: 0.3 },
];

/** Each network on TensorFlow and on the native kernels, one process after the other: milliseconds a clip. */
export async function benchEngine(): Promise<void> {
  const headers = [
    '',
    'front end',
    ...batchSizes.map((size) => `batch ${size}`),
    'next window of a stream',
    'training step, batch 32',
    'its memory',
  ];
  console.log('Milliseconds a clip, the fastest of at least 3 runs.\n');
  console.log(`| ${headers.join(' | ')} | 2048³ product |\n|${'---|'.repeat(headers.length + 1)}`);
  for (const config of networks) {
    const wishes: KernelsWish[] = isNative(config) ? ['reference', 'native'] : ['reference'];
    for (const kernels of wishes) console.log(line(config, await measure(config, kernels)));
  }
}

function line(
  { architecture }: NetworkConfig,
  { engine, frontEndMs, forwardMs, hopMs, trainingMs, trainingMegabytes, matmulGflops }: EngineRow,
): string {
  const cells = [
    `\`${architecture}\` on ${engine}`,
    frontEndMs.toFixed(2),
    ...forwardMs.map((ms) => ms.toFixed(2)),
    hopMs?.toFixed(2) ?? '–',
    trainingMs?.toFixed(2) ?? '–',
    trainingMegabytes === undefined ? '–' : `${trainingMegabytes.toFixed(0)} MB`,
    matmulGflops === undefined ? '–' : `${matmulGflops.toFixed(0)} GFLOP/s`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function measure(config: NetworkConfig, kernels: KernelsWish): Promise<EngineRow> {
  const child = fork(join(__dirname, 'engine-row.js'), [JSON.stringify({ config, kernels })]);
  return new Promise((resolve, reject) => {
    let row: EngineRow | undefined;
    child.on('message', (message) => {
      row = message as EngineRow;
    });
    child.on('exit', (code) => {
      if (row === undefined) reject(new Error(`The measuring process ended with code ${code ?? 'none'}.`));
      else resolve(row);
    });
  });
}
