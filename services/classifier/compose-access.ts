import type { Logger } from '../../shared/observability/logger';
import type { Metrics } from '../../shared/observability/metrics';
import { systemClock } from '../../shared/runtime/clock';
import { createAssertAdmin, type AssertAdmin } from './access/admin';
import { createAdminKey, type AdminKey } from './access/admin-key';
import { Admission } from './access/admission';
import { createIdentify, readApiKeys, type Identify } from './access/api-keys';
import { createCallerIdOf, type CallerIdOf } from './access/caller-id';
import { createOriginRules, isLoopbackAddress, type OriginRules } from './access/origin';
import type { Models } from './compose-models';
import type { Streams } from './compose-streams';
import type { Config } from './config';
import { watchLoad } from './watch-load';

/** Who may come in. */
export interface Access {
  readonly adminKey: AdminKey | undefined;
  readonly identify: Identify;
  readonly assertAdmin: AssertAdmin;
  readonly callerIdOf: CallerIdOf;
  readonly origins: OriginRules;
}

export function composeAccess(config: Config, logger: Logger): Access {
  const apiKeys = readApiKeys(config.apiKeysFile);
  const hasAdmin = apiKeys?.some(({ admin }) => admin) ?? false;
  const adminKey = hasAdmin ? undefined : createAdminKey(config.adminKeyFolders, logger);
  const identify = createIdentify(apiKeys, systemClock, adminKey?.sha256);
  const origins = createOriginRules({ ...config, isLoopback: isLoopbackAddress(config.host) });
  return {
    adminKey,
    identify,
    assertAdmin: createAssertAdmin(identify, origins),
    callerIdOf: createCallerIdOf(config.trustedProxies),
    origins,
  };
}

interface AdmissionParts {
  readonly metrics: Metrics;
  readonly host: Pick<Models['host'], 'queueFor' | 'queuedWindows' | 'state'>;
  readonly streams: Streams;
}

/** Lets in what there is room for; its load is a metric. */
export function createAdmission(config: Config, { metrics, host, streams }: AdmissionParts): Admission {
  const admission = new Admission({
    maxRequests: config.maxConcurrentRequests,
    maxStreams: config.maxStreams,
    streamsFull: streams.isFull,
    engine: () => host.state,
    queue: (caller) => host.queueFor(caller),
    maxWaitMs: config.requestDeadlineMs,
    clock: systemClock,
    onRefused: (cause) => {
      metrics.overloads.inc({ cause });
    },
  });
  watchLoad(metrics, admission, () => host.queuedWindows);
  return admission;
}
