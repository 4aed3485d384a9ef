import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Architecture, NetworkConfig } from '../shared/contracts/architecture';
import { encoderFrontEnd, reportFrontEnd, smallFrontEnd } from '../shared/contracts/front-end';
import type { Composition, FrontEnds } from '../shared/contracts/members';
import type { KernelsWish } from '../shared/environment';
import { isNative } from '../shared/compute/kernels/is-native';
import { batchSizes, type EngineRow, type RowSubject } from './engine-row';

const served: readonly Composition[] = [
  folds(1, [reportFrontEnd], { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' }),
  folds(1, [reportFrontEnd], { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 1024 }),
  // What serves where the pretrained encoder cannot be had.
  folds(4, [smallFrontEnd], { architecture: 'small' }),
  // As the version is that serves where the pretrained encoder can be had.
  folds(4, [encoderFrontEnd], { architecture: 'encoder' }),
];

/** For each of so many folds a network on each front end. */
function folds(count: number, frontEnds: FrontEnds, network: NetworkConfig): Composition {
  const members = frontEnds.map((_, frontEnd) => ({ frontEnd, network }));
  return { frontEnds, members: new Array(count).fill(members).flat() as Composition['members'] };
}

/**
 * Measures each network on TensorFlow and on the native kernels, each in a process of its own. Prints
 * milliseconds a clip.
 * @param architecture of the networks that are measured; absent: all
 */
export async function benchEngine(architecture?: Architecture): Promise<void> {
  const headers = [
    '',
    'front end',
    ...batchSizes.map((size) => `batch ${size}`),
    'next window of a stream',
    'training step, batch 32',
    'its memory',
  ];
  console.log(
    'Milliseconds a clip, the fastest of at least 3 runs; `small` and `encoder` with front end and heads.\n',
  );
  console.log(`| ${headers.join(' | ')} | 2048³ product |\n|${'---|'.repeat(headers.length + 1)}`);
  for (const subject of served) {
    const { members } = subject;
    const config = members[0]!.network;
    if (architecture !== undefined && config.architecture !== architecture) continue;
    const wishes: KernelsWish[] = isNative(config) ? ['reference', 'native'] : ['reference'];
    for (const kernels of wishes) {
      const name = members.length === 1 ? config.architecture : `${members.length} × ${config.architecture}`;
      const row = await measure({ ...subject, kernels });
      console.log(line(name, row));
      if (row.encoderMs !== undefined) console.log(line('encoder, network alone', networkAlone(row)));
    }
  }
}

function networkAlone(row: EngineRow): EngineRow {
  return { ...row, frontEndMs: undefined, forwardMs: row.encoderMs!, hopMs: undefined };
}

function line(
  name: string,
  { engine, frontEndMs, forwardMs, hopMs, trainingMs, trainingMegabytes, matmulGflops }: EngineRow,
): string {
  const cells = [
    `\`${name}\` on ${engine}`,
    frontEndMs?.toFixed(2) ?? '–',
    ...forwardMs.map((ms) => ms.toFixed(2)),
    hopMs?.toFixed(2) ?? '–',
    trainingMs?.toFixed(2) ?? '–',
    trainingMegabytes === undefined ? '–' : `${trainingMegabytes.toFixed(0)} MB`,
    matmulGflops === undefined ? '–' : `${matmulGflops.toFixed(0)} GFLOP/s`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function measure(subject: RowSubject): Promise<EngineRow> {
  const child = fork(join(__dirname, 'engine-row.js'), [JSON.stringify(subject)]);
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
