/** The volume of the data folder is filled by somebody. */
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const core = { service: 'core' };
const mebibyte = 1_048_576;
const needs = { volumeBytes: 1024 * mebibyte };

interface Filling {
  /** What is left free at first. */
  readonly share: number;
  readonly kibibytesPerSecond: number;
}

const fill =
  ({ share, kibibytesPerSecond }: Filling): Fault['inject'] =>
  async ({ dataDir }) => {
    const path = join(dataDir, 'ballast');
    const file = await open(path, 'wx');
    const piece = Buffer.alloc(mebibyte, 1);
    const isFilled = async (): Promise<boolean> => {
      const { bavail, blocks } = await statfs(dataDir);
      return bavail / blocks <= share;
    };
    while (!(await isFilled())) await file.appendFile(piece);
    let isOver = false;
    const growing = (async () => {
      while (!isOver) {
        await file.appendFile(piece.subarray(0, 1024 * kibibytesPerSecond));
        await delay(1000);
      }
    })();
    // Whoever ends it hears of it.
    growing.catch(() => undefined);
    return async () => {
      isOver = true;
      try {
        await growing;
      } finally {
        await file.close();
        await rm(path);
      }
    };
  };

export const storageFaults: readonly Fault[] = [
  {
    name: 'disk-filling',
    what: 'The volume of the data folder fills slowly',
    needs,
    expects: [{ alert: 'StorageFilling', labels: core }],
    inject: fill({ share: 0.33, kibibytesPerSecond: 200 }),
  },
  {
    name: 'disk-nearly-full',
    what: 'The same, and there is little left',
    needs,
    expects: [{ alert: 'StorageFullSoon', labels: core }],
    inject: fill({ share: 0.17, kibibytesPerSecond: 300 }),
  },
];
