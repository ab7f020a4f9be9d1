/** Alerts that no fault brings about, and why. A test fails if one is neither here nor expected of a fault, or both. */
export const notProvoked: Readonly<Record<string, string>> = {
  Watchdog: 'it always fires: each fault begins by waiting until it has come the whole way to who listens for it',
  MonitoringDown:
    'of what it is about the game day has Prometheus and Alertmanager alone, without which it would see no alert',
};
