import type { NetworkConfig } from '../../shared/contracts/architecture';
import { createNetwork } from '../../shared/network/create-network';
import { elementCount, parameterCount, type LayerSummary } from '../../shared/network/network';
import { summarise } from '../../services/trainer/summary';

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

  it('is printed with its sizes', () => {
    const text = summarise(createNetwork(cnn, 10), 32);
    expect(text).toContain('4,621,978 (trainable 4,621,978, non-trainable 0)');
    expect(text).toMatch(/input +18\.43 MB/);
    expect(text).toMatch(/parameters +18\.49 MB/);
  });
});
