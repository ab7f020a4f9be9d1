import path from 'node:path';
import type { RoutePoint } from '#core/cli/demo/route-point.ts';
import { createSyntheticRoute } from '#core/cli/demo/synthetic-route.ts';
import { readTraceFile } from '#core/cli/demo/trace-file.ts';
import { textFlag } from '../flags.ts';

const files = ['munich-car-1hz.csv', 'korita-zbevnica.gpx', 'visnjan-car.gpx'];
/** Beside the project, as they are not its own. */
const folderDefault = path.resolve(import.meta.dirname, '../../../../shared/data');
/** Of the fleet: many drivers on one road would be no fleet. */
const recordedShare = 0.1;
/** Fewer on one road could all decline an order there, and nobody else is near it. */
const driversPerTraceMin = 5;

export interface Routes {
  readonly routes: readonly (readonly RoutePoint[])[];
  /** Of them, those that somebody has driven. */
  readonly recorded: number;
}

/** A route for each driver, recorded and made-up ones. A recording that is not there is told of, and made up for. */
export async function readRoutes(drivers: number, random: () => number): Promise<Routes> {
  const folder = textFlag('traces') ?? folderDefault;
  const traces: (readonly RoutePoint[])[] = [];
  for (const file of files) {
    try {
      traces.push(await readTraceFile(path.join(folder, file)));
    } catch (error) {
      console.error(String(error));
    }
  }
  const wanted = Math.max(driversPerTraceMin, Math.ceil(drivers * recordedShare));
  const used = traces.slice(0, Math.floor(wanted / driversPerTraceMin));
  // As many have to be left for the made-up ones.
  const recorded = used.length === 0 || drivers < 2 * driversPerTraceMin ? 0 : wanted;
  const routes = Array.from({ length: drivers }, (_, index) => {
    const trace = index < recorded ? used[index % used.length] : undefined;
    return trace ?? createSyntheticRoute({ random, blocks: 60 });
  });
  return { routes, recorded };
}
