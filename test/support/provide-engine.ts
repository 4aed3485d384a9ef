import { withoutLibtensorflow } from './needs';
import { findProgram } from './programs';
import { loadTestEngine, provideTestKernels } from './test-engine';

/**
 * Once before all tests: libtensorflow is fetched and the kernels are built here, and not by whichever
 * test comes first. Without Python, which fetches it, the tests that compare with it are left out.
 */
export default async function provideTestEngine(): Promise<void> {
  try {
    await loadTestEngine();
  } catch (error) {
    if (findProgram('python3') !== undefined) throw error;
    process.env[withoutLibtensorflow] = String(error);
    await provideTestKernels();
  }
}
