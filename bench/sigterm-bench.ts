import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Microphone, sampleSound } from './microphone';
import { call, option, projectFolder, sleep, startService } from './service';

const sampleRate = 16_000;
const streams = 4;
const uploaders = 4;

/** SIGTERM under load, over and over: what was accepted is answered, each stream gets its last result, `done` and 1001. */
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
    let stopping = false;
    const uploads = Promise.all(
      Array.from({ length: uploaders }, async () => {
        while (!stopping) {
          const { status, body } = await call(service.port, 'POST', '/classify', clip);
          if (status === 200) total.answered += 1;
          else if (status === 429 || status === 503) total.refused += 1;
          else if (body !== 'ECONNREFUSED') total.lost += 1;
        }
      }),
    );
    await sleep(1200 + Math.random() * 1000);
    if ((await service.stop()) !== 0) total.badExits += 1;
    stopping = true;
    await Promise.all([uploads, ...microphones.map(({ closed }) => closed)]);
    total.streams += microphones.length;
    total.without += microphones.filter((m) => m.closeCode !== 1001 || m.messages.get('done') !== 1).length;
  }
  console.log(`\n${times} SIGTERMs with ${streams} streams and ${uploaders} uploaders:`);
  console.log(`${total.answered} uploads answered, ${total.refused} refused, ${total.lost} lost.`);
  console.log(
    `${total.streams} streams, ${total.without} without done and 1001; ${total.badExits} exits other than 0.`,
  );
}
