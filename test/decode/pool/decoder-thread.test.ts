import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DecoderThread, type DecodingJob } from '../../../shared/decode/pool/decoder-thread';
import type { Clip } from '../../../shared/signal/clip';
import { findProgram } from '../../support/programs';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const sampleRate = 16_000;

describeWithFfmpeg('a thread whose recording ffmpeg decodes (needs ffmpeg)', () => {
  let folder: string;
  let thread: DecoderThread;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-decoder-thread-'));
  });
  afterEach(async () => {
    await writeFile(join(folder, 'go'), '');
    await thread.end();
    await rm(folder, { recursive: true, force: true });
  });

  /**
   * Decodes with a program that does `meanwhile` until it may go on, as ffmpeg. @returns the process's
   * number
   */
  async function decodeBehind(meanwhile: string): Promise<{ pid: number; decoded: Promise<Clip> }> {
    const wav = wavFile([swell(0.2, sampleRate)], { sampleRate, type: 's16' });
    const bytes = encode(wav, 'sound.wv');
    const ffmpegPath = join(folder, 'ffmpeg');
    const script = `#!/bin/bash
case " $* " in *" -i "*)
  echo $$ > ${folder}/pid.tmp; mv ${folder}/pid.tmp ${folder}/pid
  until [ -e ${folder}/go ]; do ${meanwhile}; done;;
esac
exec ${findProgram('ffmpeg')} "$@"
`;
    await writeFile(ffmpegPath, script, { mode: 0o755 });
    const decoded = new Promise<Clip>((resolve, reject) => {
      thread = new DecoderThread(
        {
          onReply: (_thread, job, reply) => {
            if (reply.kind === 'clip') job.settle(reply.clip);
            else reject(new Error(reply.message));
          },
          onLost: (_thread, _job, cause) => {
            reject(new Error(String(cause)));
          },
        },
        600_000,
      );
      const job: DecodingJob = {
        bytes,
        caller: '',
        isBackground: false,
        isSettled: false,
        dueMs: 0,
        request: { sampleRate, maxSeconds: 10 },
        settle: (result) => {
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
      };
      thread.run(job, undefined, { ffmpegPath });
    });
    const pidFile = join(folder, 'pid');
    while (
      await access(pidFile).then(
        () => false,
        () => true,
      )
    )
      await setTimeout(10);
    return { pid: Number(await readFile(pidFile, 'utf8')), decoded };
  }

  it('counts the time that ffmpeg computes, and none in which it waits', async () => {
    const { decoded } = await decodeBehind('sleep 0.05');
    while (thread.workedMs < 1500) await setTimeout(50);
    expect(thread.usedMs).toBeLessThan(thread.workedMs / 2);
    await writeFile(join(folder, 'go'), '');
    expect((await decoded).samples.length).toBeGreaterThan(0.19 * sampleRate);
  });

  it('counts what ffmpeg computes as its own', async () => {
    await decodeBehind(':');
    const before = thread.usedMs;
    while (thread.usedMs < before + 300) await setTimeout(20);
    expect(thread.workedMs).toBeGreaterThan(290);
  });

  it('takes a running ffmpeg along when it steps back', async () => {
    const { pid, decoded } = await decodeBehind('sleep 0.05');
    const before = getPriority(pid);
    thread.lowerPriority();
    while (getPriority(pid) === before) {
      // It is told of the process while that begins.
      await setTimeout(10);
    }
    // 19 is the last there is.
    expect(getPriority(pid)).toBeGreaterThanOrEqual(Math.min(19, getPriority() + 10));
    await writeFile(join(folder, 'go'), '');
    await decoded;
  });
});
