import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { NetworkConfig } from '../../../shared/contracts/architecture';
import { reportFrontEnd } from '../../../shared/contracts/front-end';
import { createNetwork } from '../../../shared/compute/network/create-network';
import { elementCount, parameterCount, type LayerSummary } from '../../../shared/compute/network/network';
import { summarise } from '../../../services/trainer/report/summary';

const cnn: NetworkConfig = { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' };
const transformer = (heads: 1 | 2 | 4, hidden: number): NetworkConfig => ({
  architecture: 'transformer',
  dropout: 0.1,
  heads,
  hidden,
});

function row(layers: readonly LayerSummary[], start: string): LayerSummary | undefined {
  return layers.find(({ layer }) => layer.startsWith(start));
}

describe("the report's parameter table", () => {
  it('gives cnn 4,621,978 parameters', () => {
    expect(parameterCount(createNetwork(cnn, 10))).toBe(4_621_978);
  });

  it.each([
    [1, 512, 33_946],
    [2, 512, 33_946],
    [4, 512, 33_946],
    [1, 1024, 50_842],
    [2, 1024, 50_842],
    [4, 1024, 50_842],
  ] as const)('gives transformer with %i heads and hidden %i %i parameters', (heads, hidden, expected) => {
    expect(parameterCount(createNetwork(transformer(heads, hidden), 10))).toBe(expected);
  });

  it('has the very layer shapes and parameters of cnn at batch 32', () => {
    const layers = createNetwork(cnn, 10).layers(32);
    expect(row(layers, 'conv1')).toMatchObject({ outputShape: [32, 64, 71_999], parameters: 512 });
    expect(row(layers, 'conv2')).toMatchObject({ outputShape: [32, 32, 18_000], parameters: 10_272 });
    expect(row(layers, 'conv3')).toMatchObject({ outputShape: [32, 16, 4501], parameters: 1552 });
    expect(
      layers.filter(({ layer }) => layer.startsWith('max-pool')).map((pool) => pool.outputShape),
    ).toEqual([
      [32, 64, 35_999],
      [32, 32, 9000],
      [32, 16, 2250],
    ]);
    expect(row(layers, 'flatten')).toMatchObject({ outputShape: [32, 128], parameters: 4_608_128 });
    expect(row(layers, 'linear')).toMatchObject({ outputShape: [32, 10], parameters: 1290 });
  });

  it.each([
    ['cnn', cnn, 7.47],
    ['transformer', transformer(4, 1024), 7.32],
  ] as const)('counts the mult-adds of %s at batch 32 as the report does', (_, config, billions) => {
    const sum = createNetwork(config, 10)
      .layers(32)
      .reduce((total, { multiplyAdds }) => total + multiplyAdds, 0);
    expect(sum / 1e9).toBeCloseTo(billions, 2);
  });

  it.each([cnn, transformer(4, 512)])('says in its rows what the tensors hold: $architecture', (config) => {
    const network = createNetwork(config, 10);
    const rows = network.layers(1).reduce((total, { parameters }) => total + parameters, 0);
    const tensors = network.parameters.reduce((total, { shape }) => total + elementCount(shape), 0);
    expect(rows).toBe(tensors);
  });

  // Sizes in millions of bytes at batch 32, as the report's tables end.
  it.each([
    ['cnn', cnn, '4,621,978', 0, ['7.47', '18.43', '1345.56', '18.49', '1382.48']],
    ['transformer', transformer(4, 1024), '50,842', 0, ['7.32', '18.43', '2138.45', '0.20', '2157.09']],
  ] as const)('ends as the report ends it: %s', (_, config, trainable, nonTrainable, figures) => {
    const [multAdds, input, pass, parameters, total] = figures;
    const lines = summarise(createNetwork(config, 10), reportFrontEnd, 32)
      .split('\n')
      .filter((line) => !line.startsWith('─'));
    expect(lines.slice(-8)).toEqual([
      `Total params: ${trainable}`,
      `Trainable params: ${trainable}`,
      `Non-trainable params: ${nonTrainable}`,
      `Total mult-adds (G): ${multAdds}`,
      `Input size (MB): ${input}`,
      `Forward/backward pass size (MB): ${pass}`,
      `Params size (MB): ${parameters}`,
      `Estimated Total Size (MB): ${total}`,
    ]);
  });

  it.each([
    ['cnn', cnn, 3],
    ['transformer', transformer(4, 1024), 0],
  ] as const)('lists dropout in the trunk of %s where the report does', (_, config, count) => {
    const pools = createNetwork(config, 10)
      .layers(32)
      .filter(({ layer }) => layer.startsWith('max-pool'));
    expect(pools).toHaveLength(3);
    expect(pools.filter(({ layer }) => layer.endsWith('dropout'))).toHaveLength(count);
  });

  it('counts the outputs of batch norm where it runs', () => {
    const passOf = (config: NetworkConfig): string =>
      /pass size \(MB\): (\S+)/.exec(summarise(createNetwork(config, 10), reportFrontEnd, 32))![1]!;
    // 8 bytes × 32 × (64 × 35,999 + 32 × 9,000 + 16 × 2,250) more than 1345.56 MB.
    expect(passOf({ ...cnn, batchNorm: 'applied' })).toBe('2018.31');
  });

  it('has every row of the transformer’s table', () => {
    const tokens = [32, 2251, 16];
    const linear = { outputShape: tokens, parameters: 272 };
    const norm = { outputShape: tokens, parameters: 32 };
    const attention = [linear, linear, linear, linear, norm];
    const rows = createNetwork(transformer(4, 1024), 10).layers(32);
    expect(
      rows
        .filter(({ weightedOutputs }) => weightedOutputs > 0)
        .map(({ outputShape, parameters }) => ({ outputShape, parameters })),
    ).toEqual([
      { outputShape: [32, 64, 71_999], parameters: 512 },
      { outputShape: [32, 32, 18_000], parameters: 10_272 },
      { outputShape: [32, 16, 4501], parameters: 1552 },
      ...attention,
      ...attention,
      ...attention,
      ...attention,
      { outputShape: [32, 2251, 1024], parameters: 17_408 },
      { outputShape: tokens, parameters: 16_400 },
      norm,
      { outputShape: [32, 10], parameters: 170 },
    ]);
    expect(row(rows, 'class token')).toMatchObject({ parameters: 16 });
  });
});

/** `npm run summary`, as it runs. */
function printed(architecture: string): string {
  const trainer = join(__dirname, '../../../services/trainer/main.js');
  const environment = { ...process.env, MODELS_DIR: join(__dirname, '../../../../models') };
  return execFileSync(process.execPath, [trainer, 'summary', architecture], {
    encoding: 'utf8',
    env: environment,
  });
}

describe('npm run summary', () => {
  it.each([
    ['encoder', '4 networks, on the encoder mn04_as, 15,400 parameters'],
    ['small', '1 network, on the encoder small, 3,850 parameters'],
  ])('shows the heads of %s on their encoder', (architecture, held) => {
    const holding = `${architecture}-\\S+: ${architecture}, ${held}`;
    expect(printed(architecture)).toMatch(new RegExp(`Trainable params: 3,850\n[^]*${holding}`));
  });
});
