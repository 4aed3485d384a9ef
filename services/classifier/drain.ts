import type { Service } from './compose';

/** How often connections that fell idle during the drain are closed. */
const idleCheckMs = 25;

/**
 * Lets nobody in any more (503), finishes what was accepted (each stream gets its last result and close
 * code 1001), then closes sockets and threads.
 * @returns whether everything was finished within `drainMs`
 */
export async function drain(service: Service, drainMs: number): Promise<boolean> {
  const { server, admission, streams } = service;
  let deadline: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    deadline = setTimeout(resolve, drainMs, false);
  });
  const finished = (async () => {
    await Promise.all([admission.drain(), streams.drain()]);
    await closeServer(service);
    await service.close();
    return true as const;
  })();
  const inTime = await Promise.race([finished, tooLate]);
  clearTimeout(deadline);
  if (!inTime) {
    streams.close();
    server.closeAllConnections();
  }
  return inTime;
}

async function closeServer({ server }: Service): Promise<void> {
  if (!server.listening) return;
  // A connection that carried an answer during the drain stays open when that is sent, until somebody
  // closes it.
  const sweep = setInterval(() => {
    server.closeIdleConnections();
  }, idleCheckMs);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(sweep);
}
