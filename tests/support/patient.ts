import type { Config } from '#core/config/settings.ts';

/** For a machine with much else to do, where a test is not about deadlines: no plugin is ended for being slow. */
export const patient: Partial<Config> = {
  pluginBootTimeoutMs: 120_000,
  pluginCallTimeoutMs: 60_000,
  pluginHeartbeatTimeoutMs: 120_000,
  pluginLoopMs: 60_000,
  httpRequestTimeoutMs: 60_000,
  dbHealthIntervalMs: 60_000,
};

/** The same for a core that is a process of its own, without what its test sets itself. */
export const patientEnvironment: Readonly<Record<string, string>> = {
  PLUGIN_BOOT_TIMEOUT_MS: '120000',
  PLUGIN_HEARTBEAT_TIMEOUT_MS: '120000',
  PLUGIN_LOOP_MS: '60000',
};
