import {
  networkConfigSchema,
  type Architecture,
  type NetworkConfig,
} from '../../../shared/contracts/architecture';
import { augmentationSchema, type Augmentation } from '../../../shared/contracts/augmentation';
import type { Hyperparameters } from '../../../shared/contracts/manifest';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import { flagOf } from '../options/command-line';
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
  request: Pick<TrainingRequest, 'architecture' | 'recipe' | 'hyperparameters' | 'augmentation'>,
): ConfiguredRecipe {
  const { architecture, augmentation: changes = {} } = request;
  const recipe = recipeFor(architecture, request.recipe);
  const given = Object.entries<unknown>(request.hyperparameters).filter(([, value]) => value !== undefined);
  const ofNetwork = given.filter(([name]) => networkNames.has(name));
  const network = {
    ...recipe.networks.find((of) => of.architecture === architecture),
    ...Object.fromEntries(ofNetwork),
  };
  const hyperparameters = withChanges(recipe.hyperparameters, given);
  return {
    recipe: { ...recipe, hyperparameters: withAugmentation(hyperparameters, changes, recipe.name) } as Recipe,
    network: parseNetwork(architecture, network),
  };
}

/** The hyperparameters with the values that are given of those that it has. */
function withChanges<H extends Hyperparameters>(own: H, given: readonly [string, unknown][]): H {
  return { ...own, ...Object.fromEntries(given.filter(([name]) => name in own)) };
}

/** @throws AppError invalid-configuration for changes where the recipe has no augmentation */
function withAugmentation<H extends Hyperparameters>(
  own: H,
  changes: Readonly<Record<string, number>>,
  recipe: string,
): H {
  if ('augmentation' in own) return { ...own, augmentation: augmented(own.augmentation, changes) };
  if (Object.keys(changes).length === 0) return own;
  const message = `${flagOf('augmentation')}: the recipe ${recipe} has none; leave it out.`;
  throw new AppError('invalid-configuration', message);
}

/** @throws AppError invalid-configuration for a name or a number that the augmentation does not have */
function augmented(augmentation: Augmentation, changes: Readonly<Record<string, number>>): Augmentation {
  const parsed = augmentationSchema.safeParse({ ...augmentation, ...changes });
  if (parsed.success) {
    // None and absent are one setting, and so one run.
    const { others, ...rest } = parsed.data;
    return others === undefined || others === 0 ? rest : { ...rest, others };
  }
  throw new AppError('invalid-configuration', `${flagOf('augmentation')}: ${problemsOf(parsed.error)}`);
}

function parseNetwork(architecture: Architecture, network: unknown): NetworkConfig {
  const parsed = networkConfigSchema.safeParse(network);
  if (parsed.success) return parsed.data;
  throw new AppError('invalid-configuration', `${architecture}: ${problemsOf(parsed.error)}`);
}

function problemsOf({
  issues,
}: {
  readonly issues: readonly { path: PropertyKey[]; message: string }[];
}): string {
  return issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ');
}
