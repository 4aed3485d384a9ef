import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scripts } from '../../package.json';
import { ServiceProcess } from '../support/service-process';
import { provideTestKernels } from '../support/test-engine';

const run = promisify(execFile);
const compose = join(__dirname, '../../services/classifier/compose.js');
/** What `npm start` gives Node.js. */
const nodeOptions = /node (--\S+) dist\/services\/classifier\/main\.js/.exec(scripts.start)![1]!;

describe('a service that nobody asks', () => {
  it('loads neither Bull nor TensorFlow.js in its main thread while it needs neither', async () => {
    const script = `
      require(${JSON.stringify(compose)});
      const packages = ['bull', 'ioredis', '@tensorflow/tfjs-core'];
      const files = Object.keys(require.cache);
      console.log(JSON.stringify(packages.filter((name) => files.some((file) => file.includes('/node_modules/' + name + '/')))));
    `;
    const { stdout } = await run(process.execPath, ['-e', script]);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it('takes less than 175 MB on the native kernels', async () => {
    await provideTestKernels();
    const service = new ServiceProcess({ ENGINE: 'auto', NODE_OPTIONS: nodeOptions });
    try {
      const { engine } = (await service.line('loaded and warmed up')) as { engine?: string };
      expect(engine).toContain('native');
      const status = await readFile(`/proc/${service.child.pid}/status`, 'utf8');
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status)!;
      // Of this process: 139 MB on Node.js 20, whose program has 48 of them in memory; 160 on 22 and 24,
      // where it has 60.
      expect(Number(kilobytes)).toBeLessThan(175_000);
    } finally {
      await service.kill();
    }
  });
});
