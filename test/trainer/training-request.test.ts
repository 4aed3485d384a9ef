import { jobRequestSchema } from '../../shared/contracts/job';
import { readTrainerConfig } from '../../services/trainer/options/config';
import { parseTrainingRequest, usage } from '../../services/trainer/options/command-line';
import { trainingRequestOf } from '../../services/trainer/jobs/training-request-of';
import { configureRecipe } from '../../services/trainer/recipes/configure-recipe';
import { distinctName, recipeFor } from '../../services/trainer/recipes/recipes';

describe('a training request', () => {
  it('has its defaults, whoever asks', () => {
    const asked = parseTrainingRequest([]);
    expect(asked).toMatchObject({ architecture: 'cnn', seed: 1, precision: 'float16', hyperparameters: {} });
    expect(asked.protocol).toEqual({
      testFold: 1,
      validationFold: 2,
      crossValidate: false,
      seeds: 1,
      blind: false,
    });
  });

  it('is the same from a command line and from a job', () => {
    const config = readTrainerConfig({ DATASETS_DIR: '/sets' });
    const job = jobRequestSchema.parse({
      kind: 'train',
      architecture: 'transformer',
      dataset: 'kitchen',
      hyperparameters: { learningRate: 0.01, batchSize: [8], heads: 2, hidden: 64 },
      protocol: { testFold: null, crossValidate: true },
      seed: 7,
    });
    const flags =
      '--architecture=transformer --data=/sets/kitchen --learning-rate 1e-2 --batch-size=8 --heads=2 --hidden=64 ' +
      '--test-fold=none --cross-validate --seed=7 --resume';
    expect(trainingRequestOf(job, config)).toEqual(parseTrainingRequest(flags.split(' ')));
  });

  it('takes a text for a number only where a number is meant', () => {
    const { csv, augmentation } = parseTrainingRequest(['--csv=5', '--augmentation=noise=0,others=0.25']);
    expect(csv).toBe('5');
    expect(augmentation).toEqual({ noise: 0, others: 0.25 });
  });

  it.each([
    [['--learning-rate=fast'], '--learning-rate fast: '],
    [['--learning-rate='], '--learning-rate : '],
    [['--heads=3', '--test-fold=0'], '--test-fold 0: '],
    [['--batch-norm=maybe'], '--batch-norm maybe: '],
    [['--warm-up=1'], "Unknown option '--warm-up'"],
  ])('is refused by the option that is wrong: %j', (args, message) => {
    expect(() => parseTrainingRequest(args)).toThrow(message);
  });

  it('is described by the usage text, with what is taken where nothing is said', () => {
    expect(usage).toMatch(/--test-fold N\|none .*; default 1\n/);
    expect(usage).toMatch(/--precision float16\|float32 .*default float16\n/);
    expect(usage).toMatch(/--esc10-only +only the rows/);
  });
});

describe('a recipe', () => {
  const base = parseTrainingRequest(['--architecture=mel-small', '--epochs=3', '--penalty=5', '--width=24']);

  it('takes those of the numbers asked for that it has, and its network the others', () => {
    const { recipe, network } = configureRecipe(base);
    expect(recipe.hyperparameters).toEqual({ ...recipeFor('mel-small').hyperparameters, epochs: 3 });
    expect(network).toEqual({ architecture: 'mel-small', width: 24, dropout: 0.3 });
  });

  it('refuses an option that the network does not have, and a name that no recipe of the architecture has', () => {
    const unknown = { ...base, hyperparameters: { heads: 2 as const } };
    expect(() => configureRecipe(unknown)).toThrow('mel-small: ');
    const named = { ...base, recipe: 'report' };
    expect(() => configureRecipe(named)).toThrow(
      'No recipe report trains the architecture mel-small; it has mel-small.',
    );
  });

  it('is named in settings only where it is not the architecture’s own, so that earlier runs keep their names', () => {
    expect(distinctName(recipeFor('mel'), 'mel')).toBeUndefined();
    expect(distinctName(recipeFor('mel'), 'mel-small')).toBe('mel');
  });
});
