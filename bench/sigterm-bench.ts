import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Microphone, sampleSound } from './microphone';
import { option, projectFolder, sleep, startService } from './service';

const sampleRate = 16_000;
const streams = 4;
const uploaders = 4;

/**
 * Uploads with `Expect: 100-continue`. With `100 Continue` the service has accepted the upload and must
 * answer.
 */
function upload(port: number, clip: Buffer): Promise<{ accepted: boolean; status: number }> {
  return new Promise((done) => {
    let accepted = false;
    const headers = { 'content-length': clip.length, expect: '100-continue' };
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/classify', headers, agent: false };
    const outgoing = request(options, (answer) => {
      answer.resume();
      answer.on('close', () => {
        done({ accepted, status: answer.complete ? (answer.statusCode ?? 0) : 0 });
      });
      // The upload was refused before its body was sent.
      if (!accepted) outgoing.destroy();
    });
    outgoing.on('continue', () => {
      accepted = true;
      outgoing.end(clip);
    });
    outgoing.on('error', () => {
      done({ accepted, status: 0 });
    });
    outgoing.flushHeaders();
  });
}

/**
 * Sends SIGTERM under load, repeatedly. Accepted uploads must be answered, and each stream must get its
 * last result, `done` and close code 1001.
 */
export async function benchSigterm(): Promise<void> {
  const times = option('times', 100);
  const clip = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const sound = await sampleSound(sampleRate);
  const total = { answered: 0, refused: 0, lost: 0, streams: 0, without: 0, badExits: 0 };
  for (let round = 0; round < times; round += 1) {
    const service = await startService();
    const microphones = Array.from(
      { length: streams },
      () => new Microphone(service.port, sound, sampleRate, 1),
    );
    let stopped = false;
    const uploads = Promise.all(
      Array.from({ length: uploaders }, async () => {
        while (!stopped) {
          const { accepted, status } = await upload(service.port, clip);
          if (status === 200) total.answered += 1;
          else if (accepted) total.lost += 1;
          else {
            total.refused += 1;
            await sleep(20);
          }
        }
      }),
    );
    await sleep(1200 + Math.random() * 1000);
    if ((await service.stop()) !== 0) total.badExits += 1;
    stopped = true;
    await Promise.all([uploads, ...microphones.map(({ closed }) => closed)]);
    total.streams += microphones.length;
    total.without += microphones.filter((m) => m.closeCode !== 1001 || m.messages.get('done') !== 1).length;
  }
  console.log(`\n${times} SIGTERMs with ${streams} streams and ${uploaders} uploaders:`);
  console.log(
    `${total.answered} uploads answered, ${total.refused} not accepted, ${total.lost} accepted and lost.`,
  );
  console.log(
    `${total.streams} streams, ${total.without} without done and 1001; ${total.badExits} exits other than 0.`,
  );
}
