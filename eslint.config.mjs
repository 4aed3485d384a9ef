import jest from 'eslint-plugin-jest';
import tseslint from 'typescript-eslint';
import { functionLines } from './lint/function-lines.mjs';
import { noHeldPromise } from './lint/no-held-promise.mjs';
import { noLiteralSpread } from './lint/no-literal-spread.mjs';

/** A recipe says what follows from its optimiser (services/trainer/recipes). */
const asksForOptimiser = {
  selector: "MemberExpression[property.name='optimizer'], ObjectPattern > Property[key.name='optimizer']",
  message: 'Ask the recipe, not which optimiser it has.',
};
/** Options of the trainer have one spelling, which comes of their names. */
const spellsFlag = ['Literal[value=/(^| )--[a-z]/]', 'TemplateElement[value.raw=/(^| )--[a-z]/]'].map(
  (selector) => ({
    selector,
    message: 'Let flagOf (services/trainer/options/command-line.ts) spell the option.',
  }),
);

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'runs/', 'data/', '**/*.mjs', '**/*.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Numerical loops index typed arrays; the bound is the loop's own condition.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Signals and sockets are told apart by string values; unused catch variables are named.
      '@typescript-eslint/prefer-for-of': 'off',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 12],
      'no-console': 'error',
    },
  },
  // What runs for a long time: there, nothing that fails behind somebody's back may end the process.
  {
    files: ['services/**/*.ts', 'shared/**/*.ts'],
    ignores: ['services/classifier/page/**', 'shared/client/**'],
    plugins: { earshot: { rules: { 'no-held-promise': noHeldPromise } } },
    rules: { 'earshot/no-held-promise': 'error' },
  },
  {
    files: ['services/**/*.ts', 'shared/**/*.ts', 'bench/**/*.ts'],
    plugins: { functions: { rules: { lines: functionLines } } },
    rules: { 'functions/lines': ['error', { max: 60 }] },
  },
  {
    files: ['services/**/*.ts', 'shared/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    plugins: { literals: { rules: { 'no-spread': noLiteralSpread } } },
    rules: { 'literals/no-spread': 'error' },
  },
  // Settings are read once; the rest of the code gets values.
  {
    files: ['services/**/*.ts', 'shared/**/*.ts'],
    ignores: ['shared/environment.ts', 'services/*/config.ts', 'services/trainer/options/config.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'The environment is read in shared/environment.ts and in config.ts of a service.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    ...jest.configs['flat/recommended'],
    rules: {
      ...jest.configs['flat/recommended'].rules,
      'jest/expect-expect': ['error', { assertFunctionNames: ['expect', 'expect*', 'assert*'] }],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    files: ['services/**/*.ts', 'shared/**/*.ts', 'bench/**/*.ts'],
    ignores: ['services/trainer/recipes/**'],
    rules: { 'no-restricted-syntax': ['error', asksForOptimiser] },
  },
  {
    files: ['services/trainer/**/*.ts'],
    // Git's options and CSS's variables begin alike.
    ignores: ['services/trainer/{options,recipes,report/charts}/**', 'services/trainer/runs/code-version.ts'],
    rules: { 'no-restricted-syntax': ['error', asksForOptimiser, ...spellsFlag] },
  },
  {
    files: ['services/trainer/**/*.ts'],
    rules: { 'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }] },
  },
  // A command's output is its interface; nothing else writes to the console.
  { files: ['bench/**/*.ts'], rules: { 'no-console': 'off' } },
);
