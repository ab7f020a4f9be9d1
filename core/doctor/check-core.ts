import { readAddresses, type Addresses } from '#core/app/addresses.ts';
import { failed, ok, unknown, type Finding } from './finding.ts';

/** As the operations port lists them at /readyz. */
interface Check {
  readonly name: string;
  readonly ready: boolean;
  readonly state: string;
  readonly detail?: string;
}

/** What the core that runs on this data folder says of itself. */
export async function checkCore(dataDir: string, timeoutMs: number): Promise<readonly Finding[]> {
  const addresses = await readAddresses(dataDir).catch(() => undefined);
  if (addresses === undefined) return [unknown('core', 'none runs on this data folder', 'Start it with: npm start')];
  let bad: readonly Check[];
  try {
    bad = await findUnready(addresses, timeoutMs);
  } catch {
    const says = `process ${addresses.pid} does not answer at ${addresses.ops}`;
    return [failed('core', says, 'If it is gone, start it again; if it hangs, end it: what it worked on comes again.')];
  }
  if (bad.length === 0) return [ok('core', `runs as process ${addresses.pid} and is ready`)];
  return bad.map(toFinding);
}

async function findUnready({ ops }: Addresses, timeoutMs: number): Promise<readonly Check[]> {
  const response = await fetch(`${ops}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
  const { checks } = (await response.json()) as { readonly checks: readonly Check[] };
  return checks.filter(({ ready }) => !ready);
}

function toFinding({ name, state, detail }: Check): Finding {
  const [kind, plugin] = name.split(':');
  return failed(
    // The core itself is one of its own checks.
    name === 'core' ? name : `core ${name}`,
    detail === undefined ? state : `${state}: ${detail}`,
    kind === 'plugin'
      ? `npx returnit plugins ${state === 'held' ? 'inspect' : 'deaths'} ${plugin}`
      : 'See the log of the core.',
  );
}
