import { loadTestEngine } from './test-engine';

/** Once before all tests: libtensorflow is fetched here, and not by whichever test comes first. */
export default async function provideTestEngine(): Promise<void> {
  await loadTestEngine();
}
