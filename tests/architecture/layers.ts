import type { ImportGraph } from './import-graph.ts';

/** The layer of each folder of core: a file imports only from below, from its own folder, or what `sideways` allows. */
const layers: Readonly<Record<string, number>> = {
  errors: 0,
  'plugin-api.ts': 0,
  'plugin-api': 0,
  'plugin-instance.ts': 0,
  config: 1,
  telemetry: 1,
  cache: 1,
  database: 2,
  jobs: 2,
  mqtt: 2,
  http: 2,
  live: 2,
  'plugin-host': 3,
  'app.ts': 4,
  app: 4,
  'main.ts': 4,
  cli: 4,
  doctor: 4,
};
const sideways: ReadonlySet<string> = new Set([
  'jobs>database',
  'telemetry>config',
  'cache>telemetry',
  'cache>config',
  'plugin-instance.ts>plugin-api.ts',
  'plugin-api.ts>plugin-api',
]);
const top = 4;

function placeOf(file: string): string | undefined {
  const [root, place] = file.split('/');
  return root === 'core' ? place : undefined;
}

function coreViolation(file: string, imported: string): string | undefined {
  const [from, to] = [placeOf(file), placeOf(imported)];
  if (from === undefined || imported === 'package.json') return undefined;
  if (to === undefined) return `${file} imports ${imported}: core imports nothing outside core`;
  if (from === to || from === 'decisions') return undefined;
  const [fromLayer, toLayer] = [layers[from], layers[to]];
  if (fromLayer === undefined) return `${file}: folder "${from}" has no layer`;
  if (toLayer === undefined) return `${imported}: folder "${to}" has no layer`;
  if (toLayer < fromLayer || fromLayer === top || sideways.has(`${from}>${to}`)) return undefined;
  return `${file} imports ${imported}: layer ${fromLayer} (${from}) may not import layer ${toLayer} (${to})`;
}

function pluginViolation(file: string, imported: string): string | undefined {
  const [root, plugin] = file.split('/');
  if (root !== 'plugins') return undefined;
  if (imported === 'core/plugin-api.ts' || imported.startsWith(`plugins/${plugin}/`)) return undefined;
  return `${file} imports ${imported}: a plugin imports its own files and types of #plugin-api`;
}

export function findLayerViolations(graph: ImportGraph): readonly string[] {
  return [...graph].flatMap(([file, imports]) =>
    imports.flatMap((imported) => coreViolation(file, imported) ?? pluginViolation(file, imported) ?? []),
  );
}
