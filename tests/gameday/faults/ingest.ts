/** What is wrong with drivers' phones, and with the way that their messages take. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Device } from '../../support/journey.ts';
import { until } from '../../support/until.ts';
import type { Load } from '../caller.ts';
import { addDriver, fixPlace } from '../devices.ts';
import type { Fault } from '../fault.ts';
import { holdLockOftenFor } from '../hold-lock.ts';
import type { System } from '../system.ts';

const core = { service: 'core' };
const tracking = { service: 'tracking' };
const plugins = ['drivers', 'tracking'];
const hourMs = 3_600_000;

/** Fixes without a pause; of some the clock is wrong. */
const driving = ({ caller }: System, device: Device, perSecond: number, clockOf = Date.now): Load =>
  caller.keep(async (count) => device.publish(fixPlace(count), new Date(clockOf())), { perSecond, callers: 16 });

async function endDriving(load: Load, device: Device): Promise<void> {
  await load.stop();
  await device.close();
}

export const ingestFaults: readonly Fault[] = [
  {
    name: 'broker-gone',
    what: 'The broker is stopped and started again',
    needs: { plugins, mosquitto: {} },
    expects: [{ alert: 'BrokerDisconnected', labels: core }],
    async inject({ mosquitto }) {
      await mosquitto?.end('SIGTERM');
      return async () => mosquitto?.start();
    },
  },
  {
    name: 'silent-devices',
    what: 'Phones that have sent all the time send nothing more',
    needs: { plugins },
    expects: [{ alert: 'IngestStalled', labels: tracking }],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      // More than one a second, of an hour in shortened time.
      const load = driving(system, device, 40);
      await delay(system.shortened(600) * 1000);
      await load.stop();
      return async () => {
        await device.publish(fixPlace(1));
        await delay(system.shortened(30) * 1000);
        await device.publish(fixPlace(2));
        await device.close();
      };
    },
    leadSeconds: 60,
  },
  {
    name: 'clock-skewed-device',
    what: 'The clock of a phone is an hour ahead for a quarter of its fixes',
    needs: { plugins },
    expects: [{ alert: 'IngestRejecting', labels: { ...tracking, plugin: 'tracking' } }],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      let count = 0;
      const load = driving(system, device, 20, () => Date.now() + ((count += 1) % 4 === 0 ? hourMs : 0));
      return () => endDriving(load, device);
    },
  },
  {
    name: 'old-fixes',
    what: 'What a phone sends is two minutes old when it comes',
    needs: { plugins },
    expects: [{ alert: 'FixesLate', labels: { ...tracking, plugin: 'tracking' } }],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      const load = driving(system, device, 20, () => Date.now() - 120_000);
      return () => endDriving(load, device);
    },
  },
  {
    name: 'gps-flood',
    what: 'A phone sends ten times as many fixes as it may',
    needs: {
      plugins,
      environment: { TRACKING_DEVICE_FIXES_PER_SECOND: '5', TRACKING_DEVICE_FIXES_BURST: '10' },
    },
    expects: [{ alert: 'IngestRejecting', labels: { ...tracking, plugin: 'tracking' } }],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      const load = driving(system, device, 50);
      return () => endDriving(load, device);
    },
  },
  {
    name: 'slow-commits',
    what: 'Each batch of fixes waits for a lock for seconds',
    needs: { plugins },
    expects: [{ alert: 'AcknowledgementsSlow', labels: tracking }],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      const release = await holdLockOftenFor(system, 'tracking.newest_positions', { heldMs: 4000, pauseMs: 20 });
      const load = driving(system, device, 20);
      return async () => {
        await release();
        await endDriving(load, device);
      };
    },
  },
  {
    name: 'node-held-still',
    what: 'The node takes nothing for a moment, and the broker has room for a hundred messages',
    needs: { plugins, mosquitto: { queuedMax: 100 }, environment: { MQTT_INFLIGHT_MAX: '20' } },
    expects: [{ alert: 'BrokerDropping', labels: core }],
    consequences: [
      { alert: 'TargetDown', because: 'who is held still does not answer Prometheus either' },
      { alert: 'MetricsAbsent', because: 'it is the only node' },
    ],
    async inject(system) {
      const device = await addDriver(system, 'driver-1');
      await device.publish(fixPlace(0));
      const pid = system.core.child.pid ?? 0;
      process.kill(pid, 'SIGSTOP');
      // Acknowledged by the broker, which keeps what it has room for.
      await Promise.all(Array.from({ length: 2000 }, (_, count) => device.publish(fixPlace(count))));
      process.kill(pid, 'SIGCONT');
      await until('the broker tells of it', async () => {
        const [dropped = 0] = await system.monitoring.query('returnit_mqtt_broker_dropped_total');
        return dropped > 0;
      });
      return () => device.close();
    },
  },
];
