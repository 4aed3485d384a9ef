import { constrainedMemory } from 'node:process';
import { totalmem } from 'node:os';

/**
 * Returns the memory limit of the control group of this process, in bytes; undefined without a limit.
 * @param limitBytes what the system says: 0, or more than the machine has, is no limit
 */
export function memoryLimitBytes(limitBytes = constrainedMemory()): number | undefined {
  return limitBytes > 0 && limitBytes < totalmem() ? limitBytes : undefined;
}
