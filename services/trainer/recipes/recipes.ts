import type { Architecture } from '../../../shared/contracts/architecture';
import { tunableNames } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import { flagOf } from '../options/command-line';
import { encoderHead, smallHead } from './encoder-head';
import type { Recipe } from './recipe';
import { report } from './report';

/** Every recipe. The first that trains an architecture is the architecture's own. */
const recipes: readonly Recipe[] = [report, encoderHead, smallHead];

/**
 * The recipe that trains an architecture: the named one, or else the architecture's own.
 * @throws AppError invalid-configuration when there is none of that name for it
 */
export function recipeFor(architecture: Architecture, name?: string): Recipe {
  const training = recipes.filter(({ networks }) => networks.some((of) => of.architecture === architecture));
  const found = name === undefined ? training[0] : training.find((recipe) => recipe.name === name);
  if (found !== undefined) return found;
  const names = training.map((recipe) => recipe.name).join(', ');
  const message = `No recipe ${name ?? ''} trains the architecture ${architecture}; it has ${names}.`;
  throw new AppError('invalid-configuration', message);
}

/**
 * A line a recipe, for a usage text: what it trains, and the numbers that it has unless a request
 * changes them.
 */
export function describeRecipes(): string {
  const lines = recipes.map(({ name, networks, hyperparameters }) => {
    const own: Readonly<Record<string, unknown>> = hyperparameters;
    const numbers = tunableNames.flatMap((of) => {
      const value = own[of];
      return typeof value === 'number' ? [`${flagOf(of)} ${value}`] : [];
    });
    return `  ${name}, for ${networks.map((of) => of.architecture).join(' and ')}: ${numbers.join(', ')}`;
  });
  return ['Recipes, and what they take unless told otherwise:', ...lines].join('\n');
}

/** The name that tells a recipe from the architecture's own; undefined: it is the architecture's own. */
export function distinctName({ name }: Recipe, architecture: Architecture): string | undefined {
  return name === recipeFor(architecture).name ? undefined : name;
}
