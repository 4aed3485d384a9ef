import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const main = join(__dirname, '../../services/trainer/main.js');

async function trainer(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [main, ...args])).stdout;
}

describe('--help', () => {
  it.each([
    ['train', /--architecture cnn/],
    ['distil', /--sounds FOLDER[^]*once for each; default none/],
    ['evaluate', /--background FOLDER/],
    ['work', /--until-idle SECONDS/],
  ])('of %s says what it takes', async (verb, usage) => {
    expect(await trainer(verb, '--help')).toMatch(usage);
  });
});

describe('npm run distil without a folder', () => {
  it('asks for one', async () => {
    await expect(trainer('distil')).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/^--sounds: name a folder/) as string,
    });
  });
});
