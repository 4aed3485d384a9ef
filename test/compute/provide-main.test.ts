import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedEncoderFile } from '../../shared/compute/provide/provide-encoder';
import { describeWith, libtensorflow } from '../support/needs';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';

const command = join(__dirname, '../../shared/compute/provide/provide-main.js');

function provide(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { code: status, output: stdout + stderr };
}

describeWith(libtensorflow)('npm run engine, where that engine can be had', () => {
  it('says where the engine is that a service will find', () => {
    const { code, output } = provide(['cpu']);
    expect(code).toBe(0);
    const [binding, kernels] = output.trim().split('\n').slice(-2);
    expect(binding).toMatch(/engine\/cpu-.*\.node$/);
    expect(kernels).toMatch(/engine\/kernels-.*\.node$/);
    expect([existsSync(binding!), existsSync(kernels!)]).toEqual([true, true]);
    // The kernels alone are the same ones.
    expect(provide(['kernels'])).toEqual({ code: 0, output: `${kernels}\n` });
  });
});

describe('npm run engine', () => {
  it.each([[[]], [['gpu']], [['cpu', 'cuda']], [['toString']]])('asks back when it is told %j', (args) => {
    expect(provide(args)).toEqual({
      code: 1,
      output: 'Which engine? npm run engine -- kernels, cpu, or cuda.\n',
    });
  });
});

describe('npm run encoder', () => {
  let folder: string;
  const encoderFolder = (): string => join(folder, 'earshot/encoder');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('keeps nothing of a file that is another', () => {
    const ENCODER = join(folder, 'other.pt');
    writeFileSync(ENCODER, 'something else');
    const { code, output } = provide(['encoder'], { XDG_CACHE_HOME: folder, ENCODER });
    expect(code).toBe(1);
    expect(output).toContain(`could not be had from ${ENCODER}: what arrived has the sha256`);
    expect(readdirSync(encoderFolder())).toEqual([]);
  });

  it('says which file is missing', () => {
    const ENCODER = join(folder, 'none.pt');
    const { code, output } = provide(['encoder'], { XDG_CACHE_HOME: folder, ENCODER });
    expect([code, output]).toEqual([1, expect.stringContaining(`open '${ENCODER}'`)]);
  });

  it('does without one where ENCODER=off', () => {
    const { code } = provide(['encoder'], { XDG_CACHE_HOME: folder, ENCODER: 'off' });
    expect([code, readdirSync(encoderFolder())]).toEqual([0, []]);
  });

  describeWithEncoder('from the published file', () => {
    it('puts it where later starts find it, without the file and without a network', () => {
      const ENCODER = join(folder, 'brought.pt');
      copyFileSync(publishedEncoderFile, ENCODER);
      const kept = cachedEncoderFile(encoderFolder());
      expect(provide(['encoder'], { XDG_CACHE_HOME: folder, ENCODER })).toEqual({
        code: 0,
        output: `${kept}\n`,
      });
      expect(readFileSync(kept).equals(readFileSync(publishedEncoderFile))).toBe(true);
      rmSync(ENCODER);
      expect(provide(['encoder'], { XDG_CACHE_HOME: folder, ENCODER: 'auto' }).output).toBe(`${kept}\n`);
      expect(readdirSync(encoderFolder())).toHaveLength(1);
    });
  });
});
