import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { cgroupFolders, readNumber, readTable, readText } from './cgroup-files.ts';

export interface ContainerReading {
  readonly cgroupVersion: 'v2' | 'v1' | 'none';
  readonly cpuUsageSeconds: number;
  readonly cpuThrottledSeconds: number;
  readonly cpuLimitCores: number;
  readonly cpuLimitSource: 'quota' | 'affinity';
  /** Without inactive page cache: what the kubelet evicts on. */
  readonly memoryWorkingSetBytes: number;
  readonly memoryLimitBytes: number;
  readonly memoryLimitSource: 'cgroup' | 'host';
  readonly oomKills: number;
}

/** One cgroup of those that a process is in. Limits are Infinity when there are none. */
interface CpuLevel {
  readonly usageSeconds: number | undefined;
  readonly throttledSeconds: number;
  readonly limitCores: number;
}
interface MemoryLevel {
  readonly workingSetBytes: number | undefined;
  readonly limitBytes: number;
  readonly oomKills: number;
}

interface Levels {
  readonly cpus: readonly CpuLevel[];
  readonly memories: readonly MemoryLevel[];
}

export interface Machine {
  /** Cores that the process may use by its affinity. */
  readonly cores: number;
  readonly memoryBytes: number;
}

export interface ReadContainerOptions {
  /** Folder with `proc` and `sys`. @default '/' */
  readonly root?: string;
  /** @default what the operating system says */
  readonly machine?: Machine;
}

/** CPU and memory of the container that this process is in, read from the kernel's files. */
export async function readContainer(options: ReadContainerOptions = {}): Promise<ContainerReading> {
  const { root = '/', machine = { cores: availableParallelism(), memoryBytes: totalmem() } } = options;
  const mount = join(root, 'sys/fs/cgroup');
  const paths = parseCgroup((await readText(join(root, 'proc/self/cgroup'))) ?? '');
  if ((await readText(join(mount, 'cgroup.controllers'))) !== undefined) {
    return toReading('v2', machine, await readV2(mount, paths.get('') ?? '/'));
  }
  return toReading('v1', machine, await readV1(mount, paths));
}

/** Lines `number:controllers:path`; version 2 is the one without controllers. */
function parseCgroup(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    for (const controller of controllers?.split(',') ?? []) paths.set(controller, path.join(':'));
  }
  return paths;
}

async function readV2(mount: string, path: string): Promise<Levels> {
  const folders = await cgroupFolders(mount, path, 'cgroup.controllers');
  // The machine's root cgroup has neither file: it is no container, and its cpu.stat is that of all processes.
  const cpu = folders.map(async (folder): Promise<CpuLevel | undefined> => {
    const max = (await readText(join(folder, 'cpu.max')))?.trim().split(' ');
    if (max === undefined) return undefined;
    const stat = await readTable(join(folder, 'cpu.stat'));
    const [quota = 'max', period = '100000'] = max;
    return {
      usageSeconds: scaled(stat.get('usage_usec'), 1e6),
      throttledSeconds: (stat.get('throttled_usec') ?? 0) / 1e6,
      limitCores: quota === 'max' ? Infinity : Number(quota) / Number(period),
    };
  });
  const memory = folders.map(async (folder): Promise<MemoryLevel | undefined> => {
    const current = await readNumber(join(folder, 'memory.current'));
    if (current === undefined) return undefined;
    const [max = Infinity, high = Infinity] = await Promise.all(
      ['memory.max', 'memory.high'].map((file) => readNumber(join(folder, file))),
    );
    const stat = await readTable(join(folder, 'memory.stat'));
    const events = await readTable(join(folder, 'memory.events'));
    return {
      workingSetBytes: Math.max(0, current - (stat.get('inactive_file') ?? 0)),
      limitBytes: Math.min(max, high),
      oomKills: events.get('oom_kill') ?? 0,
    };
  });
  return { cpus: await present(cpu), memories: await present(memory) };
}

async function readV1(mount: string, paths: ReadonlyMap<string, string>): Promise<Levels> {
  const cpuPath = paths.get('cpu') ?? '/';
  const cpuFolders = await cgroupFolders(join(mount, 'cpu'), cpuPath, 'cpu.cfs_quota_us');
  const cpu = cpuFolders.map(async (folder): Promise<CpuLevel> => {
    const usageFolder = folder.replace(join(mount, 'cpu'), join(mount, 'cpuacct'));
    const [quota = -1, period = 100_000, usage] = await Promise.all([
      readNumber(join(folder, 'cpu.cfs_quota_us')),
      readNumber(join(folder, 'cpu.cfs_period_us')),
      readNumber(join(usageFolder, 'cpuacct.usage')),
    ]);
    const stat = await readTable(join(folder, 'cpu.stat'));
    return {
      usageSeconds: scaled(usage, 1e9),
      throttledSeconds: (stat.get('throttled_time') ?? 0) / 1e9,
      limitCores: quota > 0 ? quota / period : Infinity,
    };
  });
  const memoryFolders = await cgroupFolders(join(mount, 'memory'), paths.get('memory') ?? '/', 'memory.usage_in_bytes');
  const memory = memoryFolders.map(async (folder): Promise<MemoryLevel> => {
    const [usage = 0, limit = Infinity] = await Promise.all([
      readNumber(join(folder, 'memory.usage_in_bytes')),
      readNumber(join(folder, 'memory.limit_in_bytes')),
    ]);
    const stat = await readTable(join(folder, 'memory.stat'));
    const oom = await readTable(join(folder, 'memory.oom_control'));
    return {
      workingSetBytes: Math.max(0, usage - (stat.get('total_inactive_file') ?? 0)),
      // "No limit" is the largest multiple of the page size below 2^63.
      limitBytes: limit >= 2 ** 60 ? Infinity : limit,
      oomKills: oom.get('oom_kill') ?? 0,
    };
  });
  return { cpus: await Promise.all(cpu), memories: await Promise.all(memory) };
}

function toReading(version: 'v2' | 'v1', machine: Machine, { cpus, memories }: Levels): ContainerReading {
  const cpu = tightest(cpus, (level) => level.limitCores);
  const memory = tightest(memories, (level) => level.limitBytes);
  const quota = cpu?.limitCores ?? Infinity;
  // availableParallelism() knows the quota too, but cuts 2.5 to 2: only a smaller number comes from the affinity.
  const limitedByQuota = Math.max(1, Math.floor(quota)) <= machine.cores;
  const limitedByCgroup = (memory?.limitBytes ?? Infinity) < machine.memoryBytes;
  return {
    cgroupVersion: cpu === undefined && memory === undefined ? 'none' : version,
    cpuUsageSeconds: cpu?.usageSeconds ?? processCpuSeconds(),
    cpuThrottledSeconds: cpu?.throttledSeconds ?? 0,
    cpuLimitCores: limitedByQuota ? quota : machine.cores,
    cpuLimitSource: limitedByQuota ? 'quota' : 'affinity',
    memoryWorkingSetBytes: memory?.workingSetBytes ?? process.memoryUsage.rss(),
    memoryLimitBytes: limitedByCgroup ? (memory?.limitBytes ?? machine.memoryBytes) : machine.memoryBytes,
    memoryLimitSource: limitedByCgroup ? 'cgroup' : 'host',
    oomKills: memory?.oomKills ?? 0,
  };
}

/** The level whose limit binds: use and limit must be of the same cgroup. Without any limit, the innermost. */
function tightest<Level>(levels: readonly Level[], limitOf: (level: Level) => number): Level | undefined {
  return levels.toSorted((a, b) => (limitOf(a) < limitOf(b) ? -1 : limitOf(a) > limitOf(b) ? 1 : 0))[0];
}

async function present<T>(levels: readonly Promise<T | undefined>[]): Promise<T[]> {
  return (await Promise.all(levels)).filter((level) => level !== undefined);
}

function scaled(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit;
}

function processCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
