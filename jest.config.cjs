// Tests run on the very JavaScript that ships (build.mjs makes it), so that worker threads, child
// processes and ESM-only decoders behave as they do in production and nothing is compiled twice.
module.exports = {
  rootDir: 'dist/test',
  testMatch: ['**/*.test.js'],
  transform: {},
  testEnvironment: '<rootDir>/support/node-environment.js',
  globalSetup: '<rootDir>/support/provide-engine.js',
  reporters: ['default', '<rootDir>/support/left-out-reporter.js'],
  testSequencer: '<rootDir>/support/longest-first.js',
  testTimeout: 60_000,
  maxWorkers: 2,
};
