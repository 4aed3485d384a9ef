import { join } from 'node:path';
import type { NetworkConfig } from '../../shared/contracts/architecture';
import {
  encoderFrontEnd,
  reportFrontEnd,
  smallFrontEnd,
  type FrontEnd,
} from '../../shared/contracts/front-end';
import { loadMembers } from '../../shared/compute/inference/load-members';
import { createNetwork } from '../../shared/compute/network/create-network';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import type { Member } from '../../shared/compute/network/members';
import { encoderOf } from '../../shared/contracts/members';
import { openRegistry } from '../../shared/registry/registry';
import { projectFolder } from '../service';
import type { CheckSize } from './check-size';

/** Members of a version, to be computed on several engines. */
export interface Subject {
  readonly name: string;
  readonly members: readonly Member[];
}

interface SteppedNetwork {
  readonly config: NetworkConfig;
  readonly frontEnd: FrontEnd;
}

/** Every architecture that is trained in steps, in the size that the recipes have. */
export function steppedNetworks({ isBrief }: CheckSize): readonly SteppedNetwork[] {
  const cnn = {
    config: { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' },
    frontEnd: reportFrontEnd,
  } as const;
  if (isBrief) return [cnn];
  return [
    cnn,
    {
      config: { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 1024 },
      frontEnd: reportFrontEnd,
    },
  ];
}

const classes = 10;

/**
 * Untrained networks of every architecture, and the committed versions.
 * @param hasEncoder whether those on the large pretrained encoder can be computed too
 */
export async function subjects(size: CheckSize, hasEncoder: boolean): Promise<Subject[]> {
  const large = { config: { architecture: 'encoder' }, frontEnd: encoderFrontEnd } as const;
  const small = { config: { architecture: 'small' }, frontEnd: smallFrontEnd } as const;
  const heads = [small, ...(hasEncoder ? [large] : [])];
  const untrained = [...steppedNetworks(size), ...heads].map(({ config, frontEnd }) => {
    const network = createNetwork(config, classes);
    const member = { frontEnd, network, values: initialWeights(network, 1) };
    return { name: `${config.architecture}, untrained`, members: [member] };
  });
  if (size.isBrief) return untrained;
  const { versions } = await openRegistry(join(projectFolder, 'models')).list();
  const committed = versions
    .filter(({ manifest }) => hasEncoder || encoderOf(manifest.frontEnds)?.encoder.name !== 'mn04_as')
    .map(async (version) => ({
      name: version.manifest.version,
      members: await loadMembers(version),
    }));
  return [...untrained, ...(await Promise.all(committed))];
}
