import {
  networkConfigSchema,
  type Architecture,
  type NetworkConfig,
} from '../../../shared/contracts/architecture';
import type { Hyperparameters } from '../../../shared/contracts/manifest';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import type { Recipe } from './recipe';
import { recipeFor } from './recipes';

/** A recipe with the hyperparameters of one run, and the network that it trains. */
export interface ConfiguredRecipe {
  readonly recipe: Recipe;
  readonly network: NetworkConfig;
}

const networkNames = new Set(networkConfigSchema.options.flatMap(({ shape }) => Object.keys(shape)));

/**
 * @throws AppError invalid-configuration for a recipe or an option of the network that the architecture
 * does not have
 */
export function configureRecipe(
  request: Pick<TrainingRequest, 'architecture' | 'recipe' | 'hyperparameters'>,
): ConfiguredRecipe {
  const { architecture } = request;
  const recipe = recipeFor(architecture, request.recipe);
  const given = Object.entries<unknown>(request.hyperparameters).filter(([, value]) => value !== undefined);
  const ofNetwork = given.filter(([name]) => networkNames.has(name));
  const network = {
    ...recipe.networks.find((of) => of.architecture === architecture),
    ...Object.fromEntries(ofNetwork),
  };
  const hyperparameters = withChanges(recipe.hyperparameters, given);
  return {
    recipe: { ...recipe, hyperparameters } as Recipe,
    network: parseNetwork(architecture, network),
  };
}

/** The hyperparameters with the values that are given of those that it has. */
function withChanges<H extends Hyperparameters>(own: H, given: readonly [string, unknown][]): H {
  return { ...own, ...Object.fromEntries(given.filter(([name]) => name in own)) };
}

function parseNetwork(architecture: Architecture, network: unknown): NetworkConfig {
  const parsed = networkConfigSchema.safeParse(network);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw new AppError('invalid-configuration', `${architecture}: ${problems.join('; ')}`);
}
