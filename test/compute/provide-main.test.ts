import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const command = join(__dirname, '../../shared/compute/provide/provide-main.js');

function provide(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}

describe('npm run engine', () => {
  it('says where the engine is that a service will find', () => {
    const { code, output } = provide('cpu');
    expect(code).toBe(0);
    const [binding, kernels] = output.trim().split('\n').slice(-2);
    expect(binding).toMatch(/engine\/cpu-.*\.node$/);
    expect(kernels).toMatch(/engine\/kernels-.*\.node$/);
    expect([existsSync(binding!), existsSync(kernels!)]).toEqual([true, true]);
  });

  it.each([[[]], [['gpu']], [['cpu', 'cuda']]])('asks back when it is told %j', (args) => {
    expect(provide(...args)).toEqual({
      code: 1,
      output: 'Which engine? npm run engine -- cpu, or cuda.\n',
    });
  });
});
