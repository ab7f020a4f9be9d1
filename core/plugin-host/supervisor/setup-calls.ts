import type { PluginCalls } from '../protocol/calls.ts';

/** What a plugin may do in setup() alone. */
export const setupCalls: ReadonlySet<string> = new Set<keyof PluginCalls>([
  'http.route',
  'jobs.work',
  'jobs.schedule',
  'events.on',
  'mqtt.subscribe',
  'live.channel',
  'repeat.start',
]);
