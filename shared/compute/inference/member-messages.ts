import type { NetworkConfig } from '../../contracts/architecture';
import type { WeightValues } from '../../registry/weights-file';
import type { EngineChoice } from '../provide/choose-engine';

/** What a thread for members is started with. All memory is shared: nobody waits for an event loop. */
export interface MemberThreadStart {
  readonly choice: EngineChoice;
  readonly config: NetworkConfig;
  readonly classes: number;
  readonly members: readonly WeightValues[];
  /** `turn` and the number of inputs. */
  readonly control: Int32Array;
  /** Room for a call's inputs, and for its logits, member after member. */
  readonly features: Float32Array;
  readonly logits: Float32Array;
  readonly inputLength: number;
}

/** Whose turn it is: the first element of `control`. */
export const turn = { starting: 0, caller: 1, thread: 2, failed: 3, over: 4 } as const;
