import { elementCount, type Network, type Parameter } from './network';
import { createUniform, deriveSeed } from '../../runtime/random';

/**
 * Values for every parameter of a fresh network, a function of the seed alone. Uniform in ±1/√fan-in,
 * PyTorch's default for linear and convolution layers and their biases (report, "Ours": weight
 * initialisation).
 */
export function initialWeights(
  network: Pick<Network, 'parameters'>,
  seed: number,
): Record<string, Float32Array> {
  return Object.fromEntries(
    network.parameters.map((parameter) => [parameter.name, initialValues(parameter, seed)]),
  );
}

function initialValues({ name, shape, initialisation }: Parameter, seed: number): Float32Array {
  const values = new Float32Array(elementCount(shape));
  const uniform = createUniform(deriveSeed(seed, 'initial', name));
  if (initialisation === 'standard-normal') {
    // Box–Muller; 1 − u keeps the logarithm finite.
    for (let index = 0; index < values.length; index++) {
      values[index] = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    }
  } else if ('constant' in initialisation) {
    values.fill(initialisation.constant);
  } else {
    const bound = 1 / Math.sqrt(initialisation.fanIn);
    for (let index = 0; index < values.length; index++) values[index] = (2 * uniform() - 1) * bound;
  }
  return values;
}
