import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { collectContainer } from '#core/telemetry/container-collector.ts';
import { readContainer, type ContainerReading } from '#core/telemetry/container-reading.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';

const machine = { cores: 8, memoryBytes: 16 * 1024 ** 3 };
const read = (fixture: string, cores = machine.cores): Promise<ContainerReading> =>
  readContainer({ root: join(import.meta.dirname, 'fixtures', fixture), machine: { ...machine, cores } });

describe('readContainer()', () => {
  it('reads a limited container of cgroup v2, fractions of cores included', async () => {
    assert.deepEqual(await read('v2-limited', 2), {
      cgroupVersion: 'v2',
      cpuUsageSeconds: 90,
      cpuThrottledSeconds: 1.5,
      cpuLimitCores: 2.5,
      cpuLimitSource: 'quota',
      memoryWorkingSetBytes: 300_000_000,
      memoryLimitBytes: 536_870_912,
      memoryLimitSource: 'cgroup',
      oomKills: 2,
    });
  });

  it('takes the affinity when it is smaller than the quota', async () => {
    const { cpuLimitCores, cpuLimitSource } = await read('v2-limited', 1);
    assert.deepEqual([cpuLimitCores, cpuLimitSource], [1, 'affinity']);
  });

  it('takes the innermost group of cgroup v2 and the machine as limit when there is none', async () => {
    assert.deepEqual(await read('v2-unlimited'), {
      cgroupVersion: 'v2',
      cpuUsageSeconds: 7,
      cpuThrottledSeconds: 0,
      cpuLimitCores: 8,
      cpuLimitSource: 'affinity',
      memoryWorkingSetBytes: 50_000_000,
      memoryLimitBytes: machine.memoryBytes,
      memoryLimitSource: 'host',
      oomKills: 0,
    });
  });

  it('reads use and limit from the group whose limit binds', async () => {
    const reading = await read('v2-nested');
    assert.deepEqual([reading.cpuLimitCores, reading.cpuUsageSeconds, reading.cpuThrottledSeconds], [1.5, 30, 2]);
    assert.deepEqual([reading.memoryLimitBytes, reading.memoryWorkingSetBytes], [402_653_184, 250_000_000]);
  });

  it('reads a limited container of cgroup v1 whose path is the host’s', async () => {
    assert.deepEqual(await read('v1-limited'), {
      cgroupVersion: 'v1',
      cpuUsageSeconds: 12,
      cpuThrottledSeconds: 4,
      cpuLimitCores: 0.5,
      cpuLimitSource: 'quota',
      memoryWorkingSetBytes: 140_000_000,
      memoryLimitBytes: 268_435_456,
      memoryLimitSource: 'cgroup',
      oomKills: 4,
    });
  });

  it('knows that cgroup v1 writes "no limit" as a huge number', async () => {
    const reading = await read('v1-unlimited');
    assert.deepEqual([reading.cpuLimitCores, reading.cpuLimitSource, reading.cpuUsageSeconds], [8, 'affinity', 3]);
    assert.deepEqual([reading.memoryLimitBytes, reading.memoryLimitSource], [machine.memoryBytes, 'host']);
    assert.equal(reading.memoryWorkingSetBytes, 1_999_000);
  });

  it('takes the process and the machine where there is no cgroup', async () => {
    const reading = await read('none');
    assert.equal(reading.cgroupVersion, 'none');
    assert.ok(reading.cpuUsageSeconds > 0 && reading.memoryWorkingSetBytes > 0);
    assert.deepEqual([reading.cpuLimitCores, reading.memoryLimitBytes], [8, machine.memoryBytes]);
  });
});

describe('collectContainer()', () => {
  it('puts the reading into a scrape', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = collectContainer(metrics, { root: join(import.meta.dirname, 'fixtures/v2-limited'), machine });
    const { body } = await metrics.render();
    stop();
    assert.match(body, /^returnit_container_cpu_limit_cores 2\.5$/m);
    assert.match(body, /^returnit_container_cpu_usage_seconds_total 90$/m);
    assert.match(body, /^returnit_container_memory_limit_bytes 536870912$/m);
    assert.match(
      body,
      /^returnit_container_info\{cgroup_version="v2",cpu_limit_source="quota",memory_limit_source="cgroup"\} 1$/m,
    );
  });
});
