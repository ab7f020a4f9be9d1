/** What compose.yaml gives its containers, and what their files must meet there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseCompose } from '../support/compose.ts';
import { projectDir as root } from '../support/project-copy.ts';

export const { services } = parseCompose();
// oxlint-disable-next-line typescript/no-explicit-any -- read from files, and every use is a check
export const read = (path: string): any => parse(readFileSync(join(root, 'deploy', path), 'utf8'));

/** Ports that a container listens on beside those it opens on the machine. */
export const listens: Readonly<Record<string, readonly number[]>> = {
  returnit: [8080, 9464],
  prometheus: [9090],
  alertmanager: [9093],
  grafana: [3000],
  'otel-collector': [4318, 8888],
  tempo: [3200, 4318],
  loki: [3100],
};

/** Another container can be reached: it has this port, and a network that both are on. */
export function assertReachable(from: string, address: string): void {
  const { hostname, port } = new URL(address.includes('://') ? address : `http://${address}`);
  if (hostname === 'localhost') return assert.ok(listens[from]?.includes(Number(port)), `${from}: ${address}`);
  assert.ok(listens[hostname]?.includes(Number(port)), `${from}: ${address}`);
  const shared = services[from]?.networks?.filter((network) => services[hostname]?.networks?.includes(network));
  assert.ok(shared !== undefined && shared.length > 0, `${from} and ${hostname} share no network`);
}

/** Where a file of the project is in the container. */
export function mountOf(service: string, source: string): string {
  const mount = services[service]?.volumes?.find((volume) => volume.startsWith(`./${source}:`));
  assert.ok(mount !== undefined, `${service} has no ${source}`);
  return mount.split(':')[1] ?? '';
}

export function assertKeys(value: object, allowed: readonly string[]): void {
  assert.deepEqual(
    Object.keys(value).filter((key) => !allowed.includes(key)),
    [],
  );
}

/** A path that is written must be on a volume: the container's own files are read-only. */
export function assertOnVolume(service: string, path: string): void {
  const targets = services[service]?.volumes
    ?.filter((one) => !one.startsWith('./'))
    .map((one) => one.split(':')[1] ?? '');
  assert.ok(
    targets?.some((target) => path === target || path.startsWith(`${target}/`)),
    `${service}: ${path}`,
  );
}
