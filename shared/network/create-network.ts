import type { NetworkConfig } from '../contracts/architecture';
import { createCnn } from './cnn';
import type { Network } from './network';
import { createTransformer } from './transformer';

/** Builds the architecture that `config` names for `classes` outputs (report, "Architecture 1" and "2"). */
export function createNetwork(config: NetworkConfig, classes: number): Network {
  switch (config.architecture) {
    case 'cnn':
      return createCnn(config, classes);
    case 'transformer':
      return createTransformer(config, classes);
  }
}
