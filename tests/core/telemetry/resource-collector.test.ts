import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { collectResources } from '#core/telemetry/resource-collector.ts';

const header = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;
const row = (name: string, received: number, sent: number): string =>
  `${name.padStart(6)}: ${received}    10    0    0    0     0          0         0 ${sent}    12    0    0    0     0       0          0\n`;
const config = {
  dataDir: tmpdir(),
  resourceComputeCores: 2,
  resourceMemoryBytes: 4_000_000_000,
  resourceDatabaseBytes: 2_000_000_000,
  resourceBandwidthBytes: 0,
  resourceStorageBytes: 50_000_000_000,
};

describe('collectResources()', () => {
  const root = mkdtempSync(join(tmpdir(), 'returnit-resources-'));
  after(() => rmSync(root, { recursive: true, force: true }));

  async function lines(given: Partial<typeof config> = {}): Promise<readonly string[]> {
    const errors: unknown[] = [];
    const metrics = createMetrics({ labelSetsMax: 50, onCollectError: (error) => void errors.push(error) });
    const stop = collectResources(metrics, { ...config, ...given }, root);
    const { body } = await metrics.render();
    stop();
    assert.deepEqual(errors, []);
    return body.split('\n').filter((line) => /^returnit_(resource|network|storage)/.test(line));
  }

  it('shows the budgets there are, and what is in use and free on the volume', async () => {
    const shown = await lines();
    assert.deepEqual(shown.filter((line) => line.startsWith('returnit_resource_limit')).toSorted(), [
      'returnit_resource_limit{resource="compute",unit="cores"} 2',
      'returnit_resource_limit{resource="database",unit="bytes"} 2000000000',
      'returnit_resource_limit{resource="memory",unit="bytes"} 4000000000',
      'returnit_resource_limit{resource="storage",unit="bytes"} 50000000000',
    ]);
    const { blocks, bsize } = statfsSync(config.dataDir);
    const [used, free] = ['used', 'free'].map((what) =>
      Number(shown.find((line) => line.startsWith(`returnit_storage_${what}_bytes `))?.split(' ')[1]),
    ) as [number, number];
    assert.ok(used > 0 && free > 0);
    assert.ok(used + free <= blocks * bsize, 'together no more than there is');
  });

  it('counts what all interfaces sent but the loopback', async () => {
    mkdirSync(join(root, 'proc/net'), { recursive: true });
    writeFileSync(join(root, 'proc/net/dev'), header + row('lo', 7, 7) + row('eth0', 1000, 2000) + row('wlan0', 5, 50));
    assert.ok((await lines()).includes('returnit_network_sent_bytes_total 2050'));
  });

  it('says nothing of what the system does not tell', async () => {
    rmSync(join(root, 'proc'), { recursive: true, force: true });
    assert.ok(!(await lines()).some((line) => /^returnit_network_sent_bytes_total [^0]/.test(line)));
  });
});
