import type { NetworkConfig } from '../../contracts/architecture';
import { createCnn } from './cnn';
import { createHead, createTagHead } from './head';
import type { Network } from './network';
import { createTransformer } from './transformer';

/** Builds the architecture that `config` names for `classes` outputs. */
export function createNetwork(config: NetworkConfig, classes: number): Network {
  switch (config.architecture) {
    case 'cnn':
      return createCnn(config, classes);
    case 'transformer':
      return createTransformer(config, classes);
    case 'encoder':
    case 'small':
      return config.multiLabel === true ? createTagHead(config) : createHead(config, classes);
  }
}
