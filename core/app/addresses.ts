import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#core/errors/app-error.ts';

/** Where a running core is reached; with port 0 in the configuration these are the real ones. */
export interface Addresses {
  readonly api: string;
  readonly ops: string;
  readonly mqtt: string;
  readonly pid: number;
}

const fileOf = (dataDir: string): string => join(dataDir, 'addresses.json');

/** For the commands that talk to the running core. */
export async function writeAddresses(dataDir: string, addresses: Addresses): Promise<void> {
  await writeFile(fileOf(dataDir), `${JSON.stringify(addresses, null, 2)}\n`, { mode: 0o600 });
}

export async function removeAddresses(dataDir: string): Promise<void> {
  await rm(fileOf(dataDir), { force: true });
}

/** @throws {AppError} CORE_NOT_RUNNING */
export async function readAddresses(dataDir: string): Promise<Addresses> {
  try {
    return JSON.parse(await readFile(fileOf(dataDir), 'utf8')) as Addresses;
  } catch (cause) {
    throw new AppError(
      'CORE_NOT_RUNNING',
      `Cannot reach the core: none runs on data folder "${dataDir}". Start it with: npm start`,
      { cause },
    );
  }
}

/** `0.0.0.0` and `::` are where to listen, not where to go. */
export function toUrl(protocol: string, host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${protocol}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
