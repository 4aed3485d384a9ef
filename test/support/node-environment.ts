import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';
import type { EnvironmentContext, JestEnvironment, JestEnvironmentConfig } from '@jest/environment';
import { fileLeftOut, leftOutTitle, readTitle } from './left-out';

type EventHandler = NonNullable<JestEnvironment['handleTestEvent']>;
type TestState = Parameters<EventHandler>[1];
type TestBlock = TestState['rootDescribeBlock'];

/** Where TensorFlow.js keeps its engine. */
const engineGlobals = ['_tfengine', '_tfGlobals'];

/**
 * Jest runs tests in a context of its own, whose typed arrays are not those of Node's core, so
 * `instanceof Float32Array` is false across the border (jestjs/jest#2549). TensorFlow.js relies on it:
 * give the tests Node's own. A single test file runs in Jest's own process, whose globals the context
 * takes over, the engine that the global setup loaded among them: its tensors would be of other classes
 * than the tests'.
 */
export default class SharedGlobalsEnvironment extends NodeEnvironment {
  constructor(config: JestEnvironmentConfig, context: EnvironmentContext) {
    super(config, context);
    Object.assign(this.global, {
      ArrayBuffer,
      Float32Array,
      Float64Array,
      Int32Array,
      Uint8Array,
      Uint8ClampedArray,
    });
    for (const name of engineGlobals) Reflect.deleteProperty(this.global, name);
  }

  handleTestEvent(event: { readonly name: string }, { rootDescribeBlock }: TestState): void {
    if (event.name !== 'run_start') return;
    const missing = fileLeftOut(this.global);
    if (missing === undefined) return;
    for (const child of rootDescribeBlock.children) {
      if (readTitle(child.name).missing === undefined) child.name = leftOutTitle(child.name, missing);
    }
    skipAll(rootDescribeBlock);
  }
}

/** Jest runs the hooks of blocks only in which a test is left. */
function skipAll(block: TestBlock): void {
  block.mode = 'skip';
  for (const child of block.children) {
    if (child.type === 'test') child.mode = 'skip';
    else skipAll(child);
  }
}
