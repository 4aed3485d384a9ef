import type { MicroBatcher } from '../../shared/batching/micro-batcher';
import type { Metrics } from '../../shared/observability/metrics';
import type { WindowScores } from './classify-clip';
import type { Gate } from './gate';

/** The gauges of what is inside and what waits. */
export function watchLoad(
  metrics: Metrics,
  gate: Gate,
  batcher: MicroBatcher<Float32Array, WindowScores>,
): void {
  metrics.watch('earshot_queue_depth', 'Windows waiting for the engine.', () => batcher.queuedItems);
  metrics.watch(
    'earshot_requests_accepted',
    'Recordings being read, decoded or classified.',
    () => gate.inside,
  );
  metrics.watch('earshot_stream_active', 'Open streams.', () => gate.streams);
  metrics.watch('earshot_ready', '1 while recordings are taken.', () =>
    Number(gate.status.status === 'ready'),
  );
}
