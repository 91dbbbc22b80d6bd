/**
 * Tests are TypeScript; what they test is the compiled code in dist/ (`npm test` builds first), so that workers, child
 * processes and Node-RED run exactly the files that are shipped. Source maps lead coverage and traces back to the TypeScript.
 */
export default {
  rootDir: '.',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testEnvironment: '<rootDir>/test/support/environment.cjs',
  transform: {
    '^.+\\.[cm]?ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  resolver: '<rootDir>/test/support/resolver.cjs',
  testTimeout: 90_000,
  collectCoverageFrom: ['dist/core/**/*.js', 'dist/nodes/**/*.js'],
  coverageProvider: 'v8',
  coverageReporters: ['text-summary', 'lcovonly'],
  maxWorkers: 2,
};
