import type { BoundedDecoder } from '../../shared/decode/pool/bounded-decoder';
import type { Metrics } from '../../shared/observability/metrics';
import { threadsSetAside } from '../../shared/runtime/threads/thread';
import type { Admission } from './access/admission';

/** The gauges of what is inside and what waits. */
export function watchLoad(metrics: Metrics, admission: Admission, queuedItems: () => number): void {
  metrics.watch('earshot_queue_depth', 'Windows waiting for the engine.', queuedItems);
  metrics.watch(
    'earshot_requests_accepted',
    'Recordings being read, decoded or classified.',
    () => admission.unanswered,
  );
  metrics.watch('earshot_stream_active', 'Open streams.', () => admission.streams);
  metrics.watch('earshot_threads_set_aside', 'Threads that were asked to end and hang.', threadsSetAside);
  metrics.watch('earshot_ready', '1 while recordings are taken.', () =>
    Number(admission.status.status === 'ready'),
  );
}

/** The gauges of decoded audio in memory. */
export function watchDecodedAudio(
  metrics: Metrics,
  decoder: Pick<BoundedDecoder, 'heldBytes'>,
  maxBytes: number,
): void {
  metrics.watch(
    'earshot_decoded_audio_bytes',
    'Memory that decoded recordings take, or that is set aside for them.',
    () => decoder.heldBytes,
  );
  metrics.watch(
    'earshot_decoded_audio_limit_bytes',
    'Memory that decoded recordings may take.',
    () => maxBytes,
  );
}
