import { subscribe } from 'node:diagnostics_channel';
import type { ThreadReport } from '../boot.ts';

const scopes = ['fs', 'net', 'child', 'worker', 'inspector', 'wasi', 'addon', 'ffi', 'openssl-store'] as const;
/** More in one second are the same story; the core's audit must not become the victim of it. */
const reportsPerSecondMax = 20;
const resourceMaxLength = 512;

/** Passes on what Node's own permission model refuses, so that one audit stream has all denials. */
export function reportNativeDenials(report: (report: ThreadReport) => void): void {
  let second = 0;
  let count = 0;
  for (const scope of scopes) {
    subscribe(`node:permission-model:${scope}`, (message) => {
      const { permission, resource, drop } = message as { permission?: unknown; resource?: unknown; drop?: unknown };
      if (drop === true) return;
      const now = Math.floor(performance.now() / 1000);
      count = now === second ? count + 1 : 1;
      second = now;
      if (count > reportsPerSecondMax) return;
      report({
        t: 'native-denial',
        permission: String(permission),
        resource: (typeof resource === 'string' ? resource : '').slice(0, resourceMaxLength),
      });
    });
  }
}
