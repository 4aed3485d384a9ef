import type { NetworkConfig } from '../../contracts/architecture';
import type { KernelsChoice } from './kernels-addon';

/**
 * Whether the kernels compute this network. Apart from them, for threads that choose an engine and do
 * not compute.
 */
export function isNative(config: NetworkConfig): boolean {
  switch (config.architecture) {
    case 'cnn':
      return config.batchNorm === 'counted';
    case 'transformer':
    case 'mel':
    case 'mel-small':
      return true;
    // The encoder is; a head on it is plain arithmetic (shared/compute/network/head.ts).
    case 'encoder':
    case 'small':
      return true;
    default:
      return false;
  }
}

/** Whether this network is computed on the kernels; else TensorFlow.js computes it. */
export function isOnKernels(kernels: KernelsChoice | undefined, config: NetworkConfig): boolean {
  return kernels?.computes === 'networks' && isNative(config);
}

/**
 * Whether the kernels train the network with weight decay and running means of the weights too: those
 * with batch statistics. The report's networks learn with plain Adam alone there.
 */
export function hasNativeAdamW({ architecture }: NetworkConfig): boolean {
  return architecture === 'mel' || architecture === 'mel-small';
}
