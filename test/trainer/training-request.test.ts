import { architectures } from '../../shared/contracts/architecture';
import { newJobSchema } from '../../shared/contracts/job-kinds';
import { trainingJobSchema } from '../../shared/contracts/training-job';
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
    const job = trainingJobSchema.parse({
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
    const { csv, seed } = parseTrainingRequest(['--csv=5', '--seed=5']);
    expect([csv, seed]).toEqual(['5', 5]);
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

  it.each([
    [['--architecture=cnn', '--penalty=5'], '--penalty 5: cnn has none; it has --learning-rate, '],
    [['--architecture=cnn', '--heads=2'], '--heads 2: cnn has none; it has '],
    [['--architecture=small', '--heads=2', '--dropout=0.2'], '--dropout 0.2: small has none; it has '],
    [['--architecture=encoder', '--epochs=9'], '--epochs 9: encoder has none; it has --penalty'],
  ])('is refused where the architecture does not have what is asked for: %j', (args, message) => {
    expect(() => parseTrainingRequest(args)).toThrow(message);
  });

  it('has every hyperparameter that a job may ask of the architecture', () => {
    for (const architecture of architectures) {
      const named = (request: unknown): string[] => {
        const { issues } = newJobSchema.safeParse(request).error!;
        return issues.flatMap(({ path }) => (path[0] === 'hyperparameters' ? String(path[1]) : []));
      };
      const all = { learningRate: 0.1, batchSize: 2, epochs: 2, dropout: 0.2 };
      const hyperparameters = { ...all, penalty: 5, heads: 2, hidden: 8, batchNorm: 'applied' };
      const foreign = named({ kind: 'train', architecture, hyperparameters });
      const flags = Object.entries(hyperparameters).map(
        ([name, value]) =>
          [name, `--${name.replace(/[A-Z]/g, (l) => `-${l.toLowerCase()}`)}=${value}`] as const,
      );
      const refused = flags.filter(([, flag]) => {
        try {
          parseTrainingRequest([`--architecture=${architecture}`, flag]);
          return false;
        } catch {
          return true;
        }
      });
      expect(refused.map(([name]) => name)).toEqual(foreign);
    }
  });

  it('is described by the usage text, with what is taken where nothing is said', () => {
    expect(usage).toMatch(/--test-fold N\|none .*; default 1\n/);
    expect(usage).toMatch(/--precision float16\|float32 .*default float16\n/);
    expect(usage).toMatch(/--esc10-only +only the rows/);
  });
});

describe('a recipe', () => {
  const base = parseTrainingRequest(['--architecture=transformer', '--epochs=3', '--hidden=64']);

  it('takes the numbers asked for that are its own, and its network the others', () => {
    const { recipe, network } = configureRecipe(base);
    expect(recipe.hyperparameters).toEqual({ ...recipeFor('transformer').hyperparameters, epochs: 3 });
    expect(network).toEqual({ architecture: 'transformer', heads: 4, hidden: 64, dropout: 0.1 });
  });

  it('refuses an option that the network does not have, and a name that no recipe of the architecture has', () => {
    const unknown = { ...base, architecture: 'cnn' as const };
    expect(() => configureRecipe(unknown)).toThrow('cnn: ');
    const named = { ...base, recipe: 'small-head' };
    expect(() => configureRecipe(named)).toThrow(
      'No recipe small-head trains the architecture transformer; it has report.',
    );
  });

  it('is named in settings only where it is not the architecture’s own, so that earlier runs keep their names', () => {
    expect(distinctName(recipeFor('cnn'), 'cnn')).toBeUndefined();
    expect(distinctName(recipeFor('encoder'), 'small')).toBe('encoder-head');
  });
});
