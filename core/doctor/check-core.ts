import { readAddresses } from '#core/app/addresses.ts';
import { failed, ok, unknown, type Finding } from './finding.ts';

interface Readiness {
  readonly checks: Readonly<
    Record<string, { readonly ready: boolean; readonly state: string; readonly detail?: string }>
  >;
}

/** What the core that runs on this data folder says of itself. */
export async function checkCore(dataDir: string, timeoutMs: number): Promise<readonly Finding[]> {
  const addresses = await readAddresses(dataDir).catch(() => undefined);
  if (addresses === undefined) return [unknown('core', 'none runs on this data folder', 'Start it with: npm start')];
  let readiness: Readiness;
  try {
    const response = await fetch(`${addresses.ops}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
    readiness = (await response.json()) as Readiness;
  } catch {
    const says = `process ${addresses.pid} does not answer at ${addresses.ops}`;
    return [failed('core', says, 'If it is gone, start it again; if it hangs, end it: what it worked on comes again.')];
  }
  const bad = Object.entries(readiness.checks).filter(([, { ready }]) => !ready);
  if (bad.length === 0) return [ok('core', `runs as process ${addresses.pid} and is ready`)];
  return bad.map(([name, { state, detail }]) =>
    failed(
      `core ${name}`,
      detail === undefined ? state : `${state}: ${detail}`,
      name.startsWith('plugin:')
        ? `npx returnit plugins inspect ${name.slice('plugin:'.length)}`
        : 'See the log of the core.',
    ),
  );
}
