import type { Architecture } from '../../../shared/contracts/architecture';
import { AppError } from '../../../shared/errors/app-error';
import { encoderHead } from './encoder-head';
import { mel, melSmall } from './mel';
import type { Recipe } from './recipe';
import { report } from './report';

/** Every recipe. The first that trains an architecture is the architecture's own. */
const recipes: readonly Recipe[] = [report, mel, melSmall, encoderHead];

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

/** The name that tells a recipe from the architecture's own; undefined: it is the architecture's own. */
export function distinctName({ name }: Recipe, architecture: Architecture): string | undefined {
  return name === recipeFor(architecture).name ? undefined : name;
}
