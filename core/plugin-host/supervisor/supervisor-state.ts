/** What a plugin can be; `failed` means that no process can be started at all, which a restart would not change. */
export const supervisorStates = [
  'stopped',
  'starting',
  'ready',
  'backoff',
  'quarantined',
  'failed',
  'stopping',
] as const;
export type SupervisorState = (typeof supervisorStates)[number];
