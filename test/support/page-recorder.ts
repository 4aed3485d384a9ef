import type { Page } from 'playwright-core';
import type { Classification } from '../../shared/contracts/classification';

/** What became of a recording that was sent blob by blob, and then as a file. */
interface Recorded {
  /** Of the stream's messages. */
  readonly types: readonly string[];
  /** What the stream's error said. */
  readonly error: string | undefined;
  readonly heardSeconds: number;
  readonly file: Classification;
}

type RecorderIncident = 'pause' | 'late blob';

/**
 * Runs in the page: some blobs of 200 ms of the microphone, to `/stream` and then, joined, to
 * `/classify`.
 */
const script = `async ({ mimeType, incidents }) => {
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const recorder = new MediaRecorder(microphone, { mimeType });
  const socket = new WebSocket(new URL('/stream', location.href.replace('http', 'ws')));
  const messages = [];
  const once = (target, event) => new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
  const closed = once(socket, 'close');
  const answered = once(socket, 'message');
  socket.addEventListener('message', ({ data }) => messages.push(JSON.parse(data)));
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'start', encoding: 'container', silenceDbfs: null }));
  await answered;

  const blobs = [];
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  recorder.addEventListener('dataavailable', ({ data }) => {
    blobs.push(data);
    if (isOpen()) socket.send(data);
  });
  const untilBlobs = async (count) => {
    while (blobs.length < count) await once(recorder, 'dataavailable');
  };
  recorder.start(200);
  await untilBlobs(7);
  if (incidents.includes('pause')) {
    recorder.pause();
    await new Promise((resolve) => setTimeout(resolve, 700));
    recorder.resume();
    await untilBlobs(blobs.length + 4);
  }
  const stop = () => isOpen() && socket.send(JSON.stringify({ type: 'stop' }));
  const stopped = once(recorder, 'stop');
  if (incidents.includes('late blob')) stop();
  recorder.stop();
  await stopped;
  stop();
  await closed;
  for (const track of microphone.getTracks()) track.stop();
  const answer = await fetch('/classify', { method: 'POST', body: new Blob(blobs) });
  return {
    types: messages.map(({ type }) => type),
    error: messages.find(({ type }) => type === 'error')?.message,
    heardSeconds: messages.find(({ type }) => type === 'done')?.totals.audioSeconds ?? 0,
    file: await answer.json(),
  };
}`;

/**
 * Records with the browser's own MediaRecorder, in a page of the service that may use the microphone.
 */
export function recordInPage(
  page: Page,
  mimeType: string,
  incidents: readonly RecorderIncident[],
): Promise<Recorded> {
  return page.evaluate(`(${script})(${JSON.stringify({ mimeType, incidents })})`);
}
