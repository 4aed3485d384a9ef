import { once } from 'node:events';
import type { Request, Response } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import type { JobEvent, JobQueue } from '../../../../shared/jobs/job-queue';
import { isEnded } from '../../../../shared/jobs/job-record';
import type { CallerIdOf } from '../../access/caller-id';
import type { Admission } from '../../access/admission';
import { contextOf } from '../request-context';
import type { Handle } from '../routing/route';

export interface JobEventsDeps {
  readonly jobs: JobQueue;
  readonly callerIdOf: CallerIdOf;
  readonly admission: Admission;
}

/** Proxies close what is silent for a minute. */
const heartbeatMs = 15_000;
const probeMs = [0, 250, 1000];
/** What a reader waits before it connects again. */
const retryMs = 2000;
/** Open at a time; a page has one a job. */
const maxPerCaller = 16;
const maxInAll = 256;

/**
 * `GET /jobs/:id/events`: server-sent events, each the whole job after a change. `Last-Event-ID` goes on
 * where a reader was; who has seen the end gets 204, on which browsers stop asking.
 */
export function createJobEventsHandler({ jobs, callerIdOf, admission }: JobEventsDeps): Handle {
  const open = new Map<string, number>();
  let inAll = 0;
  return async ({ req, res, caller: who, param }) => {
    const caller = callerIdOf(who, req);
    const after = lastEventId(req);
    const job = await jobs.get(param('id'));
    if (req.method === 'HEAD') {
      begin(res).end();
      return;
    }
    const count = open.get(caller) ?? 0;
    if (count >= maxPerCaller || inAll >= maxInAll) throw tooMany();
    open.set(caller, count + 1);
    inAll++;
    try {
      // A reader that leaves, or a service that shuts down, ends the stream; the job goes on.
      const signal = AbortSignal.any([contextOf(res).signal, admission.closing]);
      const events = jobs.events(job.id, after === undefined ? { signal } : { after, signal });
      await tell(res, events, isEnded(job), signal);
    } finally {
      inAll--;
      const left = open.get(caller)! - 1;
      if (left === 0) open.delete(caller);
      else open.set(caller, left);
    }
  };
}

async function tell(
  res: Response,
  events: AsyncIterable<JobEvent>,
  ended: boolean,
  signal: AbortSignal,
): Promise<void> {
  // Headers are sent at once, unless there may be nothing to tell any more.
  if (!ended) begin(res).flushHeaders();
  const beat = (): void => {
    if (res.headersSent && !res.writableEnded && !res.writableNeedDrain) res.write(': alive\n\n');
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  const { socket } = res.req;
  // FIN may be all that is heard of a reader that hung up; then the first beat makes it reset the
  // connection, and the second finds that out.
  const beatTwice = (): void => {
    for (const ms of probeMs) setTimeout(beat, ms).unref();
  };
  if (socket.readableEnded) beatTwice();
  else socket.once('end', beatTwice);
  try {
    for await (const { id, job } of events) {
      if (!res.headersSent) begin(res).flushHeaders();
      const event = `id: ${id}\nevent: job\ndata: ${JSON.stringify(job)}\n\n`;
      if (!res.write(event)) await once(res, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(heartbeat);
    socket.off('end', beatTwice);
  }
  if (!res.headersSent) res.status(204);
  res.end();
}

function begin(res: Response): Response {
  res.status(200);
  res.setHeader('Content-Type', 'text/event-stream');
  // Proxies are to pass on each event as it comes, and as it is.
  res.setHeader('Cache-Control', 'no-store, no-transform');
  res.setHeader('X-Accel-Buffering', 'no');
  if (res.req.method !== 'HEAD') res.write(`retry: ${retryMs}\n\n`);
  return res;
}

function lastEventId(req: Request): number | undefined {
  const given = req.get('last-event-id');
  if (given === undefined || given === '') return undefined;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw new AppError('malformed-request', 'Last-Event-ID is the id of an event of this job, a whole number.');
}

function tooMany(): AppError {
  return new AppError('overloaded', 'Too many readers of events; close some, or try again.', {
    details: { retryAfterSeconds: 10 },
  });
}
